"""Legacy transactions: lenient about what else is sent, strict about what counts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from aitbc.core.money import parse_decimal
from aitbc.core.serializers import AmountField, LenientSerializer, ObjectField, exact
from apps.marketplace.legacy import order_payloads

LARGEST_PRICE = 10**12  # 10⁶ AIT per GPU and hour
LONGEST_HOURS = 8760
LARGEST_SPECS = 4000
ACTIONS = ("offer", "bid", "list", "cancel", "accept", "match")


@extend_schema_field({"type": "number", "example": 24})
class HoursField(serializers.Field[int, Any, Any, int]):
    """Hours as a number or a decimal string; seconds inside."""

    default_error_messages = {"invalid": f"A number of hours, more than 0 and at most {LONGEST_HOURS}."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, (str, int, float, Decimal)):
            self.fail("invalid")
        try:
            hours = parse_decimal(data) if isinstance(data, str) else Decimal(exact(data))
            seconds = int(hours * 3600) if hours.is_finite() and 0 < hours <= LONGEST_HOURS else 0
        except (ValueError, OverflowError):
            self.fail("invalid")
        if seconds < 1:
            self.fail("invalid")
        return seconds


class ActionSerializer(LenientSerializer):
    """Which kind of transaction."""

    type = serializers.CharField(max_length=40)
    action = serializers.ChoiceField([(name, name) for name in ACTIONS])


class OrderSerializer(LenientSerializer):
    """What an offer and a bid have in common."""

    gpu_count = serializers.IntegerField(min_value=1, max_value=256, required=False)
    capacity = serializers.IntegerField(min_value=1, max_value=256, required=False)
    duration_hours = HoursField(default=3600)
    specs = ObjectField(default=dict)
    attributes = ObjectField(default=dict)
    description = serializers.CharField(max_length=2000, allow_blank=True, default="")
    notes = serializers.CharField(max_length=2000, allow_blank=True, default="")
    island_id = serializers.CharField(max_length=100, allow_blank=True, default="")
    gpu_model = serializers.CharField(max_length=120, allow_blank=True, required=False, allow_null=True)
    gpu_memory_gb = serializers.IntegerField(min_value=0, max_value=100_000, required=False, allow_null=True)
    region = serializers.CharField(max_length=64, allow_blank=True, required=False, allow_null=True)

    PRICES: tuple[str, ...] = ()
    NAMES: tuple[str, ...] = ()
    IDS: tuple[str, ...] = ()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        price = next((attrs[name] for name in self.PRICES if attrs.get(name) is not None), None)
        if price is None:
            raise serializers.ValidationError({self.PRICES[0]: ["This field is required."]})
        if len(orjson.dumps([attrs["specs"], attrs["attributes"]])) > LARGEST_SPECS:
            raise serializers.ValidationError({"specs": [f"At most {LARGEST_SPECS} bytes."]})
        named = {name: attrs.get(name) for name in ("gpu_model", "gpu_memory_gb", "region") if attrs.get(name)}
        return {
            "external_id": first(attrs, self.IDS), "name": first(attrs, self.NAMES), "price": price,
            "count": attrs.get("gpu_count") or attrs.get("capacity") or 1, "seconds": attrs["duration_hours"],
            "specs": {**attrs["attributes"], **attrs["specs"], **named}, "island": attrs["island_id"],
            "description": attrs["description"] or attrs["notes"],
        }  # fmt: skip


def first(attrs: dict[str, Any], names: tuple[str, ...]) -> str:
    return str(next((attrs[name] for name in names if attrs.get(name)), ""))


def name_field() -> serializers.CharField:
    return serializers.CharField(max_length=150, allow_blank=True, required=False, allow_null=True)


def id_field() -> serializers.CharField:
    return serializers.CharField(max_length=100, allow_blank=True, required=False, allow_null=True)


def price_field() -> AmountField:
    return AmountField(min_value=1, max_value=LARGEST_PRICE, required=False, allow_null=True)


class OfferOrderSerializer(OrderSerializer):
    """GPUs for sale, by the hour."""

    offer_id, provider_node_id, provider, seller = id_field(), name_field(), name_field(), name_field()
    name = name_field()
    price_per_gpu, price_per_hour, price = price_field(), price_field(), price_field()

    PRICES = ("price_per_gpu", "price_per_hour", "price")
    NAMES = ("provider_node_id", "provider", "seller")
    IDS = ("offer_id",)


class BidOrderSerializer(OrderSerializer):
    """A demand for GPUs, for at most so much each hour."""

    bid_id, bidder_node_id, provider, buyer = id_field(), name_field(), name_field(), name_field()
    max_price_per_gpu, price = price_field(), price_field()

    PRICES = ("max_price_per_gpu", "price")
    NAMES = ("bidder_node_id", "buyer", "provider")
    IDS = ("bid_id",)


class LegacyBidSerializer(BidOrderSerializer):
    """`POST /v1/marketplace/bids`: {provider, capacity, price, notes}."""


class CancelOrderSerializer(LenientSerializer):
    """The order to take back."""

    order_id = serializers.CharField(max_length=100)


class AcceptOrderSerializer(LenientSerializer):
    """The bid to take; with which offer, where it matters."""

    bid_id = serializers.CharField(max_length=100)
    offer_id = serializers.CharField(max_length=100, allow_blank=True, default="")


class MatchOrderSerializer(LenientSerializer):
    """The two orders that are to meet."""

    bid_id = serializers.CharField(max_length=100)
    offer_id = serializers.CharField(max_length=100)


class OrderFilterSerializer(LenientSerializer):
    """Which orders."""

    transaction_type = serializers.CharField(max_length=40, required=False, allow_blank=True)
    action = serializers.ChoiceField([("offer", "offer"), ("bid", "bid"), ("all", "all")], required=False)
    status = serializers.ChoiceField([(word, word) for word in order_payloads.STATUSES], required=False)
    island_id = serializers.CharField(max_length=100, required=False, allow_blank=True)
    provider_node_id = serializers.CharField(max_length=150, required=False, allow_blank=True)
    order_id = serializers.CharField(max_length=100, required=False)
    price_max = AmountField(required=False)
    region = serializers.CharField(max_length=64, required=False)
    model = serializers.CharField(max_length=120, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)


class LegacyBidFilterSerializer(LenientSerializer):
    """Which bids, in the words of legacy clients."""

    status = serializers.ChoiceField([(word, word) for word in order_payloads.LEGACY_BID_STATUSES], required=False)
    provider = serializers.CharField(max_length=150, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)


class OrderViewSerializer(serializers.Serializer[Any]):
    """An order or a match with all names under which clients read its parts; what does not apply is left out."""

    id = serializers.CharField()
    action = serializers.ChoiceField(["offer", "bid", "match"])
    transaction_id = serializers.CharField()
    offer_id = serializers.CharField(required=False)
    bid_id = serializers.CharField(required=False)
    booking_id = serializers.CharField(required=False)
    gpu_count = serializers.IntegerField()
    capacity = serializers.IntegerField(required=False)
    price_per_gpu = serializers.CharField()
    price_per_hour = serializers.CharField(required=False)
    price = serializers.CharField(required=False)
    max_price_per_gpu = serializers.CharField(required=False)
    matched_price = serializers.CharField(required=False)
    duration_hours = serializers.FloatField()
    total_price = serializers.CharField()
    max_total_price = serializers.CharField(required=False)
    status = serializers.CharField()
    provider = serializers.CharField(required=False)
    provider_node_id = serializers.CharField(required=False)
    bidder_node_id = serializers.CharField(required=False)
    miner_id = serializers.CharField(required=False)
    model = serializers.CharField(required=False)
    gpu_model = serializers.CharField(required=False)
    memory_gb = serializers.IntegerField(required=False)
    gpu_memory_gb = serializers.IntegerField(required=False)
    region = serializers.CharField(required=False)
    island_id = serializers.CharField(required=False, allow_null=True)
    specs = serializers.JSONField(required=False)
    description = serializers.CharField(required=False)
    notes = serializers.CharField(required=False)
    created_at = serializers.CharField()
    submitted_at = serializers.CharField(required=False)
    accepted_at = serializers.CharField(required=False, allow_null=True)
    cancelled_at = serializers.CharField(required=False, allow_null=True)
    matched_at = serializers.CharField(required=False)


class OrderDoneSerializer(serializers.Serializer[Any]):
    """What was done, and the order or match as it is now."""

    status = serializers.CharField(help_text="success; a refusal is a 4xx.")
    transaction_id = serializers.CharField()
    transaction = OrderViewSerializer()


class OrderBodySerializer(ActionSerializer):
    """Every action's fields in one: which of them count, `action` decides."""

    order_id, bid_id, offer_id = id_field(), id_field(), id_field()
    gpu_count = serializers.IntegerField(min_value=1, required=False)
    price_per_gpu, max_price_per_gpu = price_field(), price_field()
    duration_hours = HoursField(required=False)
    specs = ObjectField(required=False)
    description = serializers.CharField(required=False)
    provider_node_id, bidder_node_id, island_id = name_field(), name_field(), name_field()


class LegacyBidViewSerializer(serializers.Serializer[Any]):
    """A bid in the words of legacy clients."""

    id = serializers.CharField()
    provider = serializers.CharField(allow_blank=True)
    capacity = serializers.IntegerField()
    price = serializers.CharField()
    notes = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(list(order_payloads.LEGACY_BID_STATUSES))
    submitted_at = serializers.CharField()


class LegacyBidCreatedSerializer(serializers.Serializer[Any]):
    """The new bid's id."""

    id = serializers.CharField()
