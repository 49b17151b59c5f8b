"""Quotes: what they are requested for, and their signed body."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from aitbc.core.serializers import (
    ResourceSerializer,
)
from apps.marketplace.models import Quote
from apps.marketplace.serializers.terms import TermsSerializer, in_seconds


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "two GPUs for a day",
            {"offer_id": "0190f3c2-0000-7000-8000-000000000001", "gpu_count": 2, "duration_hours": "24"},
            request_only=True,
        )
    ]
)
class QuoteRequestSerializer(TermsSerializer):
    """What to name a price for."""

    offer_id = serializers.UUIDField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = in_seconds(attrs)
        if "duration_s" not in attrs:
            raise serializers.ValidationError({"duration_s": ["This field is required."]})
        return attrs


class QuoteItemSerializer(serializers.Serializer[Any]):
    """One line of a quote."""

    item = serializers.ChoiceField(choices=["gpu", "storage"])
    quantity = serializers.IntegerField()
    unit = serializers.CharField()
    price = serializers.CharField(help_text="AIT per unit and `per`.")
    per = serializers.CharField()
    amount = serializers.CharField(help_text="AIT for the whole time.")


class QuoteBodySerializer(serializers.Serializer[Any]):
    """What is signed, as canonical JSON (RFC 8785)."""

    v = serializers.IntegerField()
    quote_id = serializers.UUIDField()
    offer_id = serializers.UUIDField()
    offer_revision = serializers.IntegerField()
    renter_id = serializers.UUIDField()
    currency = serializers.CharField()
    gpu_count = serializers.IntegerField()
    duration_s = serializers.IntegerField()
    starts_at = serializers.CharField(allow_null=True)
    items = QuoteItemSerializer(many=True)
    rate_per_hour = serializers.CharField()
    total = serializers.CharField(help_text="The most it can cost; the fee is part of it, paid by the provider.")
    escrow = serializers.CharField(help_text="What will be set aside.")
    fee_bp = serializers.IntegerField()
    fee = serializers.CharField()
    bond = serializers.CharField(help_text="What the provider pledges to you.")
    made_at = serializers.CharField()
    expires_at = serializers.CharField()


class QuoteSignatureSerializer(serializers.Serializer[Any]):
    """Ed25519 over the tag, a newline and the canonical body; keys at /.well-known/aitbc-keys.json."""

    alg = serializers.CharField()
    key_id = serializers.CharField()
    sig = serializers.CharField()


class QuoteSerializer(ResourceSerializer):
    """A price kept open for a minute."""

    quote_id = serializers.UUIDField(source="id", read_only=True)
    body = QuoteBodySerializer(read_only=True)
    signature = QuoteSignatureSerializer(read_only=True)
    tag = serializers.SerializerMethodField()

    class Meta:
        model = Quote
        fields: ClassVar = [
            "id", "quote_id", "offer_id", "gpu_count", "duration_s", "starts_at", "storage_gb", "price_gpu_hour",
            "price_storage_gb_month", "body", "tag", "signature", "expires_at", "used_at", "created_at",
        ]  # fmt: skip

    def get_tag(self, quote: Quote) -> str:
        from apps.marketplace.services.quotes import TAG

        return TAG
