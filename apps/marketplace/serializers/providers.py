"""Profile and reputation of a provider."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import TimestampField


class ProfileSerializer(serializers.Serializer[Any]):
    provider_id = serializers.UUIDField()
    since = TimestampField()
    open_offers = serializers.IntegerField()
    open_gpus = serializers.IntegerField()
    gpu_models = serializers.ListField(child=serializers.CharField())
    regions = serializers.ListField(child=serializers.CharField())
    rating = serializers.FloatField(allow_null=True)
    reviews = serializers.IntegerField()
    reliability = serializers.FloatField()
    bookings_done = serializers.IntegerField()
    bookings_broken = serializers.IntegerField(help_text="No-show, cancelled by the provider, failed hardware.")
    bookings_cancelled_by_renters = serializers.IntegerField()
    gpu_hours = serializers.FloatField()
    mean_provisioning_s = serializers.FloatField(allow_null=True)


class FormulasSerializer(serializers.Serializer[Any]):
    reputation = serializers.CharField()
    reliability = serializers.CharField()
    rating = serializers.CharField()


class PriorSerializer(serializers.Serializer[Any]):
    kept = serializers.FloatField()
    broken = serializers.FloatField()


class InputsSerializer(serializers.Serializer[Any]):
    reliability = serializers.FloatField()
    kept = serializers.FloatField(help_text="Σ of faded weights of what was kept.")
    broken = serializers.FloatField()
    prior = PriorSerializer()
    rating = serializers.FloatField()
    reviews = serializers.IntegerField()


class ReputationSerializer(serializers.Serializer[Any]):
    """A provider's reputation, with the formula and its inputs."""

    provider_id = serializers.UUIDField()
    reputation = serializers.FloatField(help_text="0 to 100.")
    formula = FormulasSerializer()
    inputs = InputsSerializer()
    computed_at = TimestampField()
