"""The legacy GPU marketplace: what its clients send and read, prices as numbers of AIT."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from aitbc.core.serializers import AmountField, LenientSerializer, QuantityField
from apps.marketplace.states import BookingState

LARGEST_PRICE = 10**12  # micro-AIT per hour


class GpuDescriptionSerializer(LenientSerializer):
    """The GPU as its provider describes it."""

    name = serializers.CharField(max_length=120)
    memory_gb = QuantityField(max_digits=8, decimal_places=2, min_value=Decimal(0), max_value=Decimal(4096))
    cuda_cores = serializers.IntegerField(min_value=0, required=False, allow_null=True)
    compute_capability = serializers.RegexField(r"^\d{1,2}(\.\d{1,2})?$", required=False, allow_null=True)
    price_per_hour = AmountField(min_value=1, max_value=LARGEST_PRICE, default=50_000)
    description = serializers.CharField(max_length=2000, required=False, allow_blank=True, allow_null=True)
    region = serializers.CharField(max_length=64, required=False, allow_blank=True, allow_null=True)
    miner_id = serializers.CharField(max_length=128, required=False, allow_blank=True, allow_null=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "a card", {"gpu": {"name": "RTX 4090", "memory_gb": "24", "price_per_hour": "0.5"}}, request_only=True
        )
    ]
)
class GpuRegisterSerializer(LenientSerializer):
    """A GPU to be listed."""

    gpu = GpuDescriptionSerializer()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        gpu = {name: value for name, value in attrs["gpu"].items() if value not in (None, "")}
        listing = {
            "name": gpu["name"], "memory_mb": int(gpu["memory_gb"] * 1024), "price_gpu_hour": gpu["price_per_hour"],
            "description": gpu.get("description", ""), "miner_name": gpu.get("miner_id", ""),
        }  # fmt: skip
        if "region" in gpu:
            listing["region"] = gpu["region"]
        if "compute_capability" in gpu:
            listing["compute_capability"] = float(gpu["compute_capability"])
        return listing


class GpuRegisteredSerializer(serializers.Serializer[Any]):
    gpu_id = serializers.UUIDField()
    status = serializers.CharField()
    message = serializers.CharField()
    price_per_hour = serializers.FloatField()
    backed = serializers.BooleanField(help_text="Whether a registered card stands behind it.")


class GpuListQuerySerializer(LenientSerializer):
    """What the legacy list can be narrowed to."""

    available = serializers.BooleanField(required=False)
    price_max = AmountField(required=False)
    region = serializers.CharField(max_length=64, required=False)
    model = serializers.CharField(max_length=120, required=False)
    memory_min = serializers.IntegerField(min_value=0, max_value=4096, required=False, help_text="GB")
    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)

    def validate_memory_min(self, gigabytes: int) -> int:
        return gigabytes * 1024


class GpuSerializer(serializers.Serializer[Any]):
    """A listed GPU (an offer)."""

    id = serializers.UUIDField()
    gpu_id = serializers.UUIDField()
    miner_id = serializers.CharField(help_text="The miner's id, else the provider's.")
    provider_id = serializers.UUIDField()
    model = serializers.CharField()
    memory_gb = serializers.FloatField()
    gpu_count = serializers.IntegerField()
    cuda_version = serializers.CharField()
    region = serializers.CharField()
    price_per_hour = serializers.FloatField(help_text="AIT per GPU and hour.")
    status = serializers.CharField(help_text="available or booked")
    capabilities = serializers.ListField(child=serializers.CharField())
    verified = serializers.BooleanField()
    created_at = serializers.CharField()
    average_rating = serializers.FloatField()
    total_reviews = serializers.IntegerField()


class CurrentBookingSerializer(serializers.Serializer[Any]):
    booking_id = serializers.UUIDField()
    duration_hours = serializers.FloatField()
    total_cost = serializers.FloatField()
    start_time = serializers.CharField()
    end_time = serializers.CharField()
    status = serializers.CharField()


class GpuDetailSerializer(GpuSerializer):
    """A listed GPU, and the caller's own booking of it."""

    current_booking = CurrentBookingSerializer(allow_null=True)


class GpuBookSerializer(LenientSerializer):
    """How long; the other legacy fields are ignored."""

    duration_hours = QuantityField(max_digits=8, decimal_places=4, min_value=Decimal("0.0003"), max_value=Decimal(8760))
    job_id = serializers.CharField(max_length=100, required=False, allow_null=True, allow_blank=True)


class PricingFactorsSerializer(serializers.Serializer[Any]):
    gpu_count = serializers.IntegerField()
    multiplier = serializers.FloatField(help_text="The present price over the provider's own.")
    pricing = serializers.CharField()


class GpuBookedSerializer(serializers.Serializer[Any]):
    """A booking in the words of legacy clients."""

    booking_id = serializers.UUIDField()
    gpu_id = serializers.UUIDField()
    status = serializers.CharField()
    state = serializers.CharField(help_text="In our words.")
    total_cost = serializers.FloatField(help_text="At most: what is set aside.")
    base_price = serializers.FloatField()
    dynamic_price = serializers.FloatField()
    price_per_hour = serializers.FloatField()
    start_time = serializers.CharField()
    end_time = serializers.CharField()
    pricing_factors = PricingFactorsSerializer()
    confidence_score = serializers.FloatField(help_text="The miner's reliability R.")
    job_id = serializers.CharField(allow_null=True)


class GpuPurchaseSerializer(GpuBookSerializer):
    """A booking that names the GPU in its body; the buyer is who calls."""

    gpu_id = serializers.CharField(max_length=100)
    payment_method = serializers.CharField(max_length=40, default="blockchain")


class GpuPurchasedSerializer(serializers.Serializer[Any]):
    purchase_id = serializers.UUIDField()
    booking_id = serializers.UUIDField()
    gpu_id = serializers.UUIDField()
    buyer_id = serializers.UUIDField()
    job_id = serializers.CharField(allow_null=True)
    payment_id = serializers.UUIDField()
    duration_hours = serializers.FloatField()
    total_cost = serializers.FloatField()
    price_per_hour = serializers.FloatField()
    status = serializers.CharField()
    payment_method = serializers.CharField()
    payment_status = serializers.CharField(help_text="pending while the money is being set aside.")
    start_time = serializers.CharField()
    end_time = serializers.CharField()


class GpuConfirmedSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()
    gpu_id = serializers.UUIDField()
    booking_id = serializers.UUIDField()
    client_id = serializers.UUIDField()
    message = serializers.CharField()


class GpuReleasedSerializer(serializers.Serializer[Any]):
    status = serializers.CharField(help_text="released or already_available")
    gpu_id = serializers.UUIDField()
    booking_id = serializers.UUIDField(allow_null=True)
    refund = serializers.FloatField()
    message = serializers.CharField()


class GpuDeletedSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()
    gpu_id = serializers.UUIDField()


class ForceSerializer(LenientSerializer):
    force = serializers.BooleanField(default=False)


class GpuReviewWriteSerializer(LenientSerializer):
    rating = serializers.IntegerField(min_value=1, max_value=5)
    comment = serializers.CharField(max_length=2000, default="", allow_blank=True)


class GpuReviewSerializer(serializers.Serializer[Any]):
    rating = serializers.IntegerField()
    comment = serializers.CharField()
    user = serializers.CharField()
    date = serializers.CharField()


class GpuReviewsSerializer(serializers.Serializer[Any]):
    gpu_id = serializers.UUIDField()
    average_rating = serializers.FloatField()
    total_reviews = serializers.IntegerField()
    reviews = GpuReviewSerializer(many=True)


class GpuReviewedSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()
    gpu_id = serializers.UUIDField()
    review_id = serializers.UUIDField()
    average_rating = serializers.FloatField()


class OrderQuerySerializer(LenientSerializer):
    status = serializers.ChoiceField(choices=BookingState.choices, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)


class OrderSerializer(serializers.Serializer[Any]):
    """A booking of the caller, as a legacy order."""

    order_id = serializers.UUIDField()
    gpu_id = serializers.UUIDField()
    gpu_model = serializers.CharField()
    miner_id = serializers.CharField()
    duration_hours = serializers.FloatField()
    total_cost = serializers.FloatField()
    status = serializers.CharField()
    created_at = serializers.CharField()
    job_id = serializers.CharField(allow_null=True)


class StaticPricingSerializer(serializers.Serializer[Any]):
    min_price = serializers.FloatField()
    max_price = serializers.FloatField()
    average_price = serializers.FloatField()
    available_gpus = serializers.IntegerField()
    total_gpus = serializers.IntegerField()
    recommended_gpu = serializers.UUIDField(allow_null=True)


class TradedPricingSerializer(serializers.Serializer[Any]):
    trades = serializers.IntegerField()
    last_price = serializers.FloatField(allow_null=True)
    average_price = serializers.FloatField(allow_null=True)


class ComparisonSerializer(serializers.Serializer[Any]):
    asked_over_traded = serializers.FloatField(allow_null=True)


class GpuPriceSerializer(serializers.Serializer[Any]):
    gpu_id = serializers.UUIDField()
    price_per_hour = serializers.FloatField()
    base_price = serializers.FloatField()
    region = serializers.CharField()
    status = serializers.CharField()


class MarketAnalysisSerializer(serializers.Serializer[Any]):
    offers = serializers.IntegerField()
    share_free = serializers.FloatField()


class PricingSerializer(serializers.Serializer[Any]):
    """What a model costs, from listed offers and real trades."""

    model = serializers.CharField()
    static_pricing = StaticPricingSerializer()
    dynamic_pricing = TradedPricingSerializer()
    price_comparison = ComparisonSerializer()
    individual_gpu_pricing = GpuPriceSerializer(many=True)
    market_analysis = MarketAnalysisSerializer()
    pricing_timestamp = serializers.CharField()
