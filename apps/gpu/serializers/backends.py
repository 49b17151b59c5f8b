"""Back-ends: model servers that cannot poll."""

from __future__ import annotations

from rest_framework import serializers

from aitbc.core.serializers import AmountField, ResourceSerializer, StrictSerializer
from apps.gpu.models import Backend


class BackendInputSerializer(StrictSerializer):
    url = serializers.CharField(max_length=500)
    kind = serializers.ChoiceField(choices=Backend.Kind.choices, default=Backend.Kind.OPENAI)
    concurrency = serializers.IntegerField(min_value=1, max_value=64, default=1)
    price = AmountField(required=False, allow_null=True, default=None)
    region = serializers.CharField(required=False, allow_blank=True, max_length=100, default="")


class BackendSerializer(ResourceSerializer):
    miner_id = serializers.UUIDField(read_only=True)
    models = serializers.ListField(source="miner.offer.models", read_only=True)
    state = serializers.CharField(source="miner.state", read_only=True)

    class Meta:
        model = Backend
        fields = [
            "id",
            "url",
            "kind",
            "miner_id",
            "models",
            "state",
            "healthy",
            "last_error",
            "polled_at",
            "allow_listed",
            "created_at",
        ]
