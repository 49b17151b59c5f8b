"""Queries of market analytics, and their answers."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from aitbc.core.serializers import AmountField, LenientSerializer, TimestampField
from apps.marketplace.selectors.analytics import INTERVALS
from apps.marketplace.serializers.prices import CellQuerySerializer


class SpanQuerySerializer(CellQuerySerializer):
    """Which market, from when to when; times without a zone are UTC."""

    interval = serializers.ChoiceField(choices=list(INTERVALS), default="1h")
    to = TimestampField(required=False)

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of Python's own.
        return {**super().get_fields(), "from": TimestampField(required=False)}


class SpreadSerializer(serializers.Serializer[Any]):
    """How prices spread, AIT per GPU and hour; absent where suppressed."""

    n = serializers.IntegerField()
    suppressed = serializers.BooleanField(help_text="Fewer than three providers: no numbers.")
    min = AmountField(required=False)
    p10 = AmountField(required=False)
    p25 = AmountField(required=False)
    p50 = AmountField(required=False)
    p75 = AmountField(required=False)
    p90 = AmountField(required=False)
    max = AmountField(required=False)


class AsksSerializer(SpreadSerializer):
    gpus = serializers.IntegerField(required=False)


class TradesSerializer(SpreadSerializer):
    volume_gpu_hours = serializers.FloatField(required=False)
    vwap = AmountField(required=False, allow_null=True, help_text="Mean price, weighted by GPU hours used.")
    open = AmountField(required=False)
    high = AmountField(required=False)
    low = AmountField(required=False)
    close = AmountField(required=False)


class BucketSerializer(serializers.Serializer[Any]):
    at = TimestampField()
    asks = AsksSerializer(allow_null=True)
    trades = TradesSerializer(allow_null=True)


class PricesSerializer(serializers.Serializer[Any]):
    gpu_model = serializers.CharField(help_text="As it is spelt here; empty: all.")
    region = serializers.CharField()
    kind = serializers.CharField()
    interval = serializers.CharField()
    items = BucketSerializer(many=True)

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "from": TimestampField(), "to": TimestampField()}


class UseSerializer(serializers.Serializer[Any]):
    at = TimestampField()
    suppressed = serializers.BooleanField()
    offered_gpu_hours = serializers.FloatField(required=False)
    booked_gpu_hours = serializers.FloatField(required=False)
    utilisation = serializers.FloatField(required=False, allow_null=True, help_text="0 to 1; null: nothing on offer.")


class UtilisationSerializer(serializers.Serializer[Any]):
    gpu_model = serializers.CharField()
    region = serializers.CharField()
    interval = serializers.CharField()
    items = UseSerializer(many=True)


class LiquiditySerializer(serializers.Serializer[Any]):
    suppressed = serializers.BooleanField()
    providers = serializers.IntegerField(required=False)
    open_offers = serializers.IntegerField(required=False)
    open_gpus = serializers.IntegerField(required=False)
    hhi = serializers.IntegerField(required=False, allow_null=True, help_text="Herfindahl–Hirschman, 0 to 10,000.")
    median_time_to_award_s = serializers.FloatField(required=False, allow_null=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "a small market",
            value={
                "since": "2026-11-25T10:00:00Z", "listed_offers": 12, "listed_gpus": 20, "providers": 5,
                "average_price_gpu_hour": "0.640000", "running_bookings": 3, "bookings": 9, "booked_gpu_hours": 31.5,
                "volume": "19.870000", "open_demands": 2, "success_rate": 0.9,
                "period_type": "daily", "total_offers": 12, "total_capacity": 20, "total_transactions": 9,
                "total_volume": 19.87, "average_price": 0.64,
            },
        )
    ]
)  # fmt: skip
class SummarySerializer(serializers.Serializer[Any]):
    """The market at a glance; the second half in the words (and numbers) of legacy clients."""

    since = TimestampField()
    listed_offers = serializers.IntegerField()
    listed_gpus = serializers.IntegerField()
    providers = serializers.IntegerField()
    average_price_gpu_hour = AmountField(allow_null=True)
    running_bookings = serializers.IntegerField()
    bookings = serializers.IntegerField(help_text="Started since then.")
    booked_gpu_hours = serializers.FloatField()
    volume = AmountField(help_text="Owed for them so far.")
    open_demands = serializers.IntegerField()
    success_rate = serializers.FloatField(allow_null=True, help_text="Of the bookings over since then: ran their time.")
    period_type = serializers.CharField()
    total_offers = serializers.IntegerField()
    total_capacity = serializers.IntegerField()
    total_transactions = serializers.IntegerField()
    total_volume = serializers.FloatField()
    average_price = serializers.FloatField()


class PeriodQuerySerializer(LenientSerializer):
    """How far back; `period_type` and `period` are its legacy names."""

    PERIODS = ("hourly", "daily", "weekly", "monthly")
    period_type = serializers.ChoiceField(choices=PERIODS, required=False)
    period = serializers.ChoiceField(choices=PERIODS, required=False)


class PerformanceSerializer(serializers.Serializer[Any]):
    """How well the market served its renters."""

    period = serializers.CharField()
    since = TimestampField()
    bookings = serializers.IntegerField()
    booked_gpu_hours = serializers.FloatField()
    success_rate = serializers.FloatField(allow_null=True)
    mean_provisioning_s = serializers.FloatField(allow_null=True)
    utilisation = serializers.FloatField(allow_null=True)
