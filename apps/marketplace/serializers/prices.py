"""Dynamic prices: the cells they move in, and suggested prices."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import LenientSerializer, StrictSerializer, TimestampField


class CellQuerySerializer(StrictSerializer):
    """Which market: a GPU model, a region, a kind; what is left out is all of them together."""

    gpu_model = serializers.CharField(required=False, max_length=120)
    region = serializers.CharField(required=False, max_length=64)
    kind = serializers.CharField(required=False, max_length=12)


class SuggestionQuerySerializer(LenientSerializer):
    """For which offer; demand and supply as a client sees them, else as this market has them."""

    offer_id = serializers.CharField(max_length=100)
    current_demand = serializers.FloatField(required=False, min_value=0, max_value=1e9)
    current_supply = serializers.FloatField(required=False, min_value=0, max_value=1e9)


class SuggestionSerializer(serializers.Serializer[Any]):
    """What the market suggests as a price; nothing is changed."""

    offer_id = serializers.CharField()
    base_price = serializers.FloatField(help_text="AIT per GPU and hour.")
    suggested_price = serializers.FloatField()
    price_multiplier = serializers.FloatField()
    supply_demand_ratio = serializers.FloatField(allow_null=True, help_text="Demand over supply.")
    utilisation = serializers.FloatField(allow_null=True)
    held = serializers.BooleanField(help_text="Fewer than three providers: dynamic prices stay.")
    basis = serializers.CharField(help_text="given: from the query; market: from this market's own cell.")


class CellSerializer(serializers.Serializer[Any]):
    """One market of its own, and the factor of its dynamic prices."""

    gpu_model = serializers.CharField()
    region = serializers.CharField()
    kind = serializers.CharField()
    utilisation = serializers.FloatField()
    multiplier = serializers.FloatField()
    held = serializers.BooleanField()
    moved_at = TimestampField()
