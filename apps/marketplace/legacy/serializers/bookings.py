"""Bookings of one offer, in the words of legacy clients."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from aitbc.core.serializers import (
    LenientSerializer,
    TimestampField,
)
from apps.marketplace.models import GPUBooking
from apps.marketplace.serializers.bookings import BookingSerializer
from apps.marketplace.serializers.terms import LONGEST_S, hours_field, in_seconds
from apps.marketplace.states import BookingState


@extend_schema_serializer(
    examples=[OpenApiExample("as the legacy command line sends it", {"duration_hours": 1.0}, request_only=True)]
)
class OfferBookSerializer(LenientSerializer):
    """Terms for one offer, also in the words of legacy clients; fields not known here (wallet, price …) are ignored."""

    gpu_count = serializers.IntegerField(min_value=1, max_value=1024, required=False)
    duration_s = serializers.IntegerField(min_value=1, max_value=LONGEST_S, required=False)
    duration_hours = hours_field()
    starts_at = TimestampField(required=False, allow_null=True)
    storage_gb = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False)
    quote_id = serializers.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = in_seconds(attrs)
        if "quote_id" in attrs:
            return {"quote_id": attrs["quote_id"]}
        return {"duration_s": 3600, **attrs}


class LegacyBookedSerializer(BookingSerializer):
    """A booking, with the names legacy clients read."""

    bid_id = serializers.UUIDField(source="id", read_only=True)
    provider = serializers.SerializerMethodField()
    message = serializers.SerializerMethodField()
    escrow_contract_id = serializers.UUIDField(source="id", read_only=True)
    status = serializers.SerializerMethodField(  # type: ignore[assignment]  # DRF: declared anew, with another source
        help_text="pending while the money is being set aside."
    )

    class Meta:
        model = GPUBooking
        fields: ClassVar = [*BookingSerializer.Meta.fields, "bid_id", "provider", "message", "escrow_contract_id"]

    def get_provider(self, booking: GPUBooking) -> str:
        return booking.offer.provider_name or str(booking.provider_id)

    def get_status(self, booking: GPUBooking) -> str:
        return "pending" if booking.state == BookingState.REQUESTED else booking.state

    def get_message(self, booking: GPUBooking) -> str:
        return f"{booking.gpu_count} GPU booked until {booking.ends_at.isoformat()}; the money is being set aside."
