"""Offers: terms, specs, edits, and the answers, which also have the names legacy clients read."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from aitbc.core.money import UNIT
from aitbc.core.serializers import (
    AmountField,
    LenientSerializer,
    ObjectField,
    ResourceSerializer,
    StrictSerializer,
    TimestampField,
)
from apps.marketplace.models import MarketplaceOffer, OfferRevision
from apps.marketplace.services import offers
from apps.marketplace.services.offer_rules import LARGEST_PRICE, MOST_GPUS
from apps.marketplace.states import OfferState

#: How legacy clients call the states.
LEGACY_STATUSES = {
    OfferState.DRAFT: "draft",
    OfferState.OPEN: "open",
    OfferState.PAUSED: "paused",
    OfferState.BOOKED_OUT: "booked",
    OfferState.EXPIRED: "closed",
    OfferState.WITHDRAWN: "cancelled",
}


class OfferSerializer(ResourceSerializer):
    """GPU time for sale. Amounts are AIT; `revision` is the ETag that an edit names in If-Match."""

    offer_id = serializers.UUIDField(source="id", read_only=True)
    status = serializers.SerializerMethodField(help_text="The state in the words of legacy clients.")
    provider = serializers.SerializerMethodField(help_text="The name the provider goes by, else its id.")
    capacity = serializers.IntegerField(source="gpu_count", read_only=True)
    price = serializers.SerializerMethodField(help_text="price_gpu_hour as a number, for legacy clients.")
    price_per_hour = serializers.SerializerMethodField(help_text="The same.")
    sla = serializers.SerializerMethodField()
    gpu_memory_gb = serializers.SerializerMethodField()
    cuda_version = serializers.SerializerMethodField()

    class Meta:
        model = MarketplaceOffer
        fields = [
            "id", "offer_id", "external_id", "provider_id", "provider", "title", "description", "kind", "state",
            "status", "revision", "backed", "slots", "gpu_count", "capacity", "miner_id", "price_gpu_hour",
            "base_price", "price_storage_gb_month", "pricing", "floor", "ceiling", "price", "price_per_hour", "bonded",
            "extend_at_same_price", "min_duration_s", "max_duration_s", "available_from", "available_until",
            "reclaim_notice_s", "constraints", "attributes", "sla", "device", "gpu_name", "gpu_model", "vendor",
            "architecture", "memory_mb", "gpu_memory_gb", "bandwidth_gbps", "fp32_tflops", "fp16_tflops", "tdp_w",
            "compute_capability", "cuda", "cuda_version", "driver", "region", "up_mbps", "down_mbps", "verified",
            "verified_at", "rentable", "benchmark", "reliability", "rating", "reviews", "score", "created_at",
            "updated_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_status(self, offer: MarketplaceOffer) -> str:
        return LEGACY_STATUSES[OfferState(offer.state)]

    def get_provider(self, offer: MarketplaceOffer) -> str:
        return offer.provider_name or str(offer.provider_id)

    def get_price(self, offer: MarketplaceOffer) -> float:
        return float(offer.price_gpu_hour / UNIT)

    def get_price_per_hour(self, offer: MarketplaceOffer) -> float:
        return float(offer.price_gpu_hour / UNIT)

    def get_sla(self, offer: MarketplaceOffer) -> str:
        return str(offer.attributes.get("sla", ""))

    def get_gpu_memory_gb(self, offer: MarketplaceOffer) -> int:
        return (offer.memory_mb + 512) // 1024

    def get_cuda_version(self, offer: MarketplaceOffer) -> str | None:
        return None if offer.cuda is None else f"{offer.cuda:g}"


class OwnOfferSerializer(OfferSerializer):
    """An offer as its provider sees it after a change."""

    warnings = serializers.SerializerMethodField(help_text="Cards that are in other offers too.")

    class Meta(OfferSerializer.Meta):
        fields = [*OfferSerializer.Meta.fields, "warnings"]
        read_only_fields = fields

    def get_warnings(self, offer: MarketplaceOffer) -> list[str]:
        return offers.warnings_of(offer)


class OfferTermsSerializer(StrictSerializer):
    """What a provider may say of an offer, at first and in every edit."""

    title = serializers.CharField(max_length=200, allow_blank=True, required=False)
    description = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    price_gpu_hour = AmountField(min_value=1, max_value=LARGEST_PRICE, required=False)
    price_storage_gb_month = AmountField(max_value=LARGEST_PRICE, required=False)
    pricing = serializers.ChoiceField(MarketplaceOffer.Pricing.choices, required=False)
    floor = AmountField(min_value=1, allow_null=True, required=False)
    ceiling = AmountField(min_value=1, allow_null=True, required=False)
    bonded = serializers.BooleanField(required=False)
    extend_at_same_price = serializers.BooleanField(required=False)
    min_duration_s = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)
    max_duration_s = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)
    available_from = TimestampField(required=False)
    available_until = TimestampField(allow_null=True, required=False)
    reclaim_notice_s = serializers.IntegerField(min_value=0, max_value=2_592_000, required=False)
    constraints = serializers.CharField(
        max_length=2000, allow_blank=True, required=False, help_text="CEL over the renter and its demand."
    )
    attributes = ObjectField(required=False)


class SpecsSerializer(StrictSerializer):
    """Unregistered cards as their provider describes them; such an offer is never `verified` nor `backed`."""

    gpu_model = serializers.CharField(max_length=120)
    gpu_count = serializers.IntegerField(min_value=1, max_value=MOST_GPUS, default=1)
    memory_mb = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    vendor = serializers.CharField(max_length=40, required=False)
    architecture = serializers.CharField(max_length=40, required=False)
    bandwidth_gbps = serializers.FloatField(min_value=1, max_value=1e6, required=False)
    fp32_tflops = serializers.FloatField(min_value=0.001, max_value=1e6, required=False)
    fp16_tflops = serializers.FloatField(min_value=0.001, max_value=1e6, required=False)
    tdp_w = serializers.FloatField(min_value=1, max_value=1e5, required=False)
    compute_capability = serializers.FloatField(min_value=0, max_value=1000, required=False)
    cuda = serializers.FloatField(min_value=0, max_value=1000, required=False)
    driver = serializers.CharField(max_length=40, required=False)
    region = serializers.CharField(max_length=64, required=False)
    up_mbps = serializers.FloatField(min_value=0, max_value=1e7, required=False)
    down_mbps = serializers.FloatField(min_value=0, max_value=1e7, required=False)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "registered cards",
            {"gpu_ids": ["0190f3c2-7b1e-7c3a-9d2f-2f6d1f0a9b11"], "price_gpu_hour": "0.42", "max_duration_s": 604800},
            request_only=True,
        ),
        OpenApiExample(
            "cards only described",
            {"specs": {"gpu_model": "GeForce RTX 4090", "memory_mb": 24564}, "price_gpu_hour": "0.42"},
            request_only=True,
        ),
    ]
)
class OfferCreateSerializer(OfferTermsSerializer):
    """A new offer: over registered cards (`gpu_ids`), or over cards that are only described (`specs`)."""

    gpu_ids = serializers.ListField(child=serializers.UUIDField(), max_length=MOST_GPUS, required=False)
    specs = SpecsSerializer(required=False)
    price_gpu_hour = AmountField(min_value=1, max_value=LARGEST_PRICE)
    draft = serializers.BooleanField(default=False, help_text="Made, but not open yet.")
    external_id = serializers.CharField(max_length=100, required=False, help_text="Your own id for it.")


@extend_schema_serializer(
    examples=[OpenApiExample("a new price", {"price_gpu_hour": "0.39", "reason": "weekend"}, request_only=True)]
)
class OfferEditSerializer(OfferTermsSerializer):
    """Terms to change; what is left out stays."""

    reason = serializers.CharField(max_length=300, required=False)


class ReasonSerializer(LenientSerializer):
    """Why, if the provider cares to say."""

    reason = serializers.CharField(max_length=300, allow_blank=True, default="")


class RevisionSerializer(ResourceSerializer):
    """One edit; of who made it, what he is: provider, operator or system."""

    actor = serializers.SerializerMethodField()

    class Meta:
        model = OfferRevision
        fields = ["revision", "price_gpu_hour", "changes", "actor", "reason", "at"]
        read_only_fields = fields

    def get_actor(self, revision: OfferRevision) -> str:
        return revision.actor.partition(":")[0]


class PricePointSerializer(serializers.Serializer[Any]):
    price = serializers.FloatField(help_text="AIT per GPU and hour.")
    timestamp = TimestampField()
    reason = serializers.CharField()


class OfferHistorySerializer(serializers.Serializer[Any]):
    """Every revision of an offer, and what came of it."""

    offer_id = serializers.UUIDField(source="offer.id")
    created_at = TimestampField(source="offer.created_at")
    price_history = serializers.SerializerMethodField()
    revisions = RevisionSerializer(many=True)
    booking_count = serializers.IntegerField(help_text="Bookings that were paid for.")
    total_revenue = AmountField(allow_null=True, help_text="What its provider earned, after fees; shown to it alone.")
    last_booked = TimestampField(allow_null=True, help_text="The moment for its provider, for others the day.")

    def to_representation(self, result: dict[str, Any]) -> dict[str, Any]:
        own = self.context["request"].user.pk == result["offer"].provider_id
        if not own and result["last_booked"]:
            # To the day: its moment would say which of the log's bookings is this provider's.
            result = result | {"last_booked": result["last_booked"].replace(hour=0, minute=0, second=0, microsecond=0)}
        shown: dict[str, Any] = super().to_representation(result)
        return shown if own else shown | {"total_revenue": None}

    @extend_schema_field(PricePointSerializer(many=True))
    def get_price_history(self, result: dict[str, Any]) -> list[dict[str, Any]]:
        """The revisions at which the price moved, with the first."""
        points: list[dict[str, Any]] = []
        for one in result["revisions"]:
            price = one.price_gpu_hour / UNIT
            if not points or points[-1]["price"] != price:
                points.append({"price": price, "timestamp": one.at.isoformat(), "reason": one.reason})
        return points


class StatesField(serializers.CharField):
    """States with commas between."""

    default_error_messages = {"unknown": "No such state: {word}; known are {known}."}

    def to_internal_value(self, data: Any) -> list[str]:  # type: ignore[override]  # a text in the query, a list inside
        words = [word.strip() for word in super().to_internal_value(data).lower().split(",")]
        for word in words:
            if word not in OfferState.values:
                self.fail("unknown", word=word[:40], known=", ".join(OfferState.values))
        return words


class OwnListSerializer(StrictSerializer):
    """Which of one's offers."""

    state = StatesField(required=False, help_text="One or several, with commas between.")
