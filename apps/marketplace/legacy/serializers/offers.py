"""Offers as legacy clients send and filter them: unknown fields are ignored, numbers come in any form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from aitbc.core.serializers import AmountField, LenientSerializer, ObjectField
from apps.marketplace.serializers.offers import LEGACY_STATUSES
from apps.marketplace.services.offer_rules import LARGEST_PRICE, MOST_GPUS
from apps.marketplace.states import OfferState

STATUSES: dict[str, tuple[str, ...]] = {
    "open": (OfferState.OPEN,),
    "available": (OfferState.OPEN,),
    "booked": (OfferState.BOOKED_OUT,),
    "reserved": (OfferState.BOOKED_OUT,),
    "paused": (OfferState.PAUSED,),
    "draft": (OfferState.DRAFT,),
    "closed": (OfferState.EXPIRED, OfferState.WITHDRAWN),
    "expired": (OfferState.EXPIRED,),
    "cancelled": (OfferState.WITHDRAWN,),
}
NAMES_OF_PROVIDER = ("provider_id", "provider", "wallet")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "as the legacy command line sends it",
            {"provider": "alice", "capacity": 2, "price": 0.5, "gpu_model": "RTX 4090", "gpu_memory_gb": 24},
            request_only=True,
        )
    ]
)
class LegacyOfferSerializer(LenientSerializer):
    """An offer in the words of legacy clients: `price` per GPU and hour, `capacity` in GPUs."""

    id = serializers.CharField(max_length=100, required=False)
    offer_id = serializers.CharField(max_length=100, required=False)
    provider_id = serializers.CharField(max_length=150, required=False)
    provider = serializers.CharField(max_length=150, required=False)
    wallet = serializers.CharField(max_length=150, required=False)
    metadata = ObjectField(required=False)
    capacity = serializers.IntegerField(min_value=0, max_value=MOST_GPUS, required=False)
    gpu_count = serializers.IntegerField(min_value=1, max_value=MOST_GPUS, required=False)
    price = AmountField(max_value=LARGEST_PRICE, required=False)
    price_per_hour = AmountField(max_value=LARGEST_PRICE, allow_null=True, required=False)
    sla = serializers.CharField(max_length=200, allow_blank=True, allow_null=True, required=False)
    title = serializers.CharField(max_length=200, allow_blank=True, required=False)
    description = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    attributes = ObjectField(required=False)
    gpu_model = serializers.CharField(max_length=120, allow_blank=True, allow_null=True, required=False)
    gpu_memory_gb = serializers.IntegerField(min_value=0, max_value=1 << 20, allow_null=True, required=False)
    cuda_version = serializers.RegexField(r"^\d{1,3}(\.\d{1,3})*$", allow_null=True, allow_blank=True, required=False)
    region = serializers.CharField(max_length=64, allow_blank=True, allow_null=True, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """What `offers.create` takes."""
        values = {name: value for name, value in attrs.items() if value is not None}
        price = values.get("price_per_hour") or values.get("price") or 0
        if price <= 0:
            raise serializers.ValidationError({"price": ["It must be more than 0."]})
        attributes = dict(values.get("attributes", {}))
        if values.get("sla"):
            attributes["sla"] = values["sla"]
        return {
            "external_id": values.get("offer_id") or values.get("id") or "",
            "provider_name": _provider(values),
            "price_gpu_hour": price,
            "attributes": attributes,
            "specs": _specs(values),
            **{name: values[name] for name in ("title", "description") if name in values},
        }


def _provider(values: Mapping[str, Any]) -> str:
    named = next((values[name] for name in NAMES_OF_PROVIDER if values.get(name)), None)
    return str(named or values.get("metadata", {}).get("provider") or "")[:150]


def _specs(values: Mapping[str, Any]) -> dict[str, Any]:
    major, _, rest = str(values.get("cuda_version") or "").partition(".")
    cuda = f"{major}.{rest.partition('.')[0] or 0}" if major else ""
    specs = {
        "gpu_count": values.get("gpu_count") or values.get("capacity") or 1,
        "gpu_model": values.get("gpu_model", ""),
        "memory_mb": values.get("gpu_memory_gb", 0) * 1024,
        "region": values.get("region", ""),
    }
    return {**specs, "cuda": float(cuda)} if cuda else specs


class StatusField(serializers.CharField):
    """A status in the words of legacy clients."""

    default_error_messages = {"unknown": "Unknown offer status: {word}; known are {known}."}

    def to_internal_value(self, data: Any) -> tuple[str, ...]:  # type: ignore[override]  # a word in, states inside
        word = super().to_internal_value(data).lower()
        if word not in STATUSES:
            self.fail("unknown", word=word[:40], known=", ".join(STATUSES))
        return STATUSES[word]


class LegacyListSerializer(LenientSerializer):
    """What the legacy list can be narrowed to."""

    status = StatusField(required=False)
    region = serializers.CharField(max_length=64, required=False, help_text="Any case.")
    gpu_model = serializers.CharField(max_length=120, required=False, help_text="A part of it, any case.")
    price_max = AmountField(required=False, help_text="AIT per GPU and hour.")
    provider_id = serializers.UUIDField(required=False)
    offset = serializers.IntegerField(min_value=0, max_value=100_000, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)


class CancelledSerializer(serializers.Serializer[Any]):
    """A cancelled offer, in the words of legacy clients."""

    offer_id = serializers.UUIDField(source="offer.id")
    status = serializers.SerializerMethodField()
    cancelled_at = serializers.SerializerMethodField(help_text="Seconds since 1970.")
    reason = serializers.CharField()

    def get_status(self, result: dict[str, Any]) -> str:
        return LEGACY_STATUSES[OfferState(result["offer"].state)]

    def get_cancelled_at(self, result: dict[str, Any]) -> int:
        return int(timezone.now().timestamp())
