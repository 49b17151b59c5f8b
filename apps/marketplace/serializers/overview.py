"""The market at a glance: counts and averages."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import TimestampField


class OverviewSerializer(serializers.Serializer[Any]):
    """Offers by number, price, region and kind."""

    status = serializers.CharField()
    total_offers = serializers.IntegerField(help_text="Listed: open, or booked out for now.")
    active_offers = serializers.IntegerField(help_text="Open and rentable.")
    average_price_per_hour = serializers.FloatField(allow_null=True, help_text="AIT per GPU, over active offers.")
    regions = serializers.ListField(child=serializers.CharField())
    service_types = serializers.ListField(child=serializers.CharField())
    timestamp = TimestampField()


class MarketStatsSerializer(serializers.Serializer[Any]):
    """Four numbers for a front page."""

    totalOffers = serializers.IntegerField()
    openCapacity = serializers.IntegerField(help_text="GPUs in open, rentable offers.")
    averagePrice = serializers.FloatField(help_text="AIT per GPU and hour, four places.")
    activeBids = serializers.IntegerField(help_text="Open demands.")


class StatusSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()
    service = serializers.CharField()
    message = serializers.CharField()
