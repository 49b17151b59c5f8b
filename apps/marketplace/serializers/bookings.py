"""Bookings and extensions: their requests, filters and answers."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from aitbc.core.serializers import (
    AmountField,
    ResourceSerializer,
    StrictSerializer,
    TimestampField,
)
from apps.marketplace.models import BookingExtension, BookingTransition, GPUBooking
from apps.marketplace.serializers.terms import LONGEST_S, TermsSerializer, hours_field, in_seconds
from apps.marketplace.states import BookingState


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "at once, for an hour",
            {"offer_id": "0190f3c2-0000-7000-8000-000000000001", "gpu_count": 1, "duration_s": 3600},
            request_only=True,
        ),
        OpenApiExample("by a quote", {"quote_id": "0190f3c2-0000-7000-8000-000000000002"}, request_only=True),
    ]
)
class BookingRequestSerializer(TermsSerializer):
    """An offer and terms, or a quote that has them."""

    offer_id = serializers.UUIDField(required=False)
    quote_id = serializers.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = in_seconds(attrs)
        if "quote_id" in attrs:
            if extra := sorted(set(attrs) - {"quote_id"}):
                raise serializers.ValidationError({name: ["The quote says that already."] for name in extra})
            return attrs
        if missing := [name for name in ("offer_id", "duration_s") if name not in attrs]:
            raise serializers.ValidationError({name: ["This field is required, or a quote_id."] for name in missing})
        return attrs


class BookingSerializer(ResourceSerializer):
    """GPU time rented. Amounts are AIT, rates AIT per hour; escrow = paid + fee + refunded once it is settled."""

    booking_id = serializers.UUIDField(source="id", read_only=True)
    status = serializers.CharField(source="state", read_only=True, help_text="The state, for legacy clients.")
    role = serializers.SerializerMethodField(help_text="What the caller is in it.")
    slots = serializers.SerializerMethodField(help_text="The cards, where the offer has registered ones.")
    left_of_escrow = serializers.SerializerMethodField(help_text="Set aside and not owed yet.")

    class Meta:
        model = GPUBooking
        fields: ClassVar = [
            "id", "booking_id", "offer_id", "demand_id", "quote_id", "renter_id", "provider_id", "miner_id", "role",
            "state", "status", "outcome", "gpu_count", "gpu_model", "region", "kind", "slots", "rate", "price_gpu_hour",
            "storage_gb", "fee_bp", "min_charge_s", "starts_at", "ends_at", "provision_by", "ready_at", "activated_at",
            "ended_at", "reclaim_at", "escrow", "bond", "metered_ms", "owed", "left_of_escrow", "slices",
            "compensation", "paid", "fee", "refunded", "created_at",
        ]  # fmt: skip

    @extend_schema_field(serializers.ChoiceField(choices=["renter", "provider"]))
    def get_role(self, booking: GPUBooking) -> str:
        return "provider" if self.context["request"].user.pk == booking.provider_id else "renter"

    def get_slots(self, booking: GPUBooking) -> list[UUID]:
        return sorted(piece.slot for piece in booking.slot_slices.all())

    @extend_schema_field(AmountField)
    def get_left_of_escrow(self, booking: GPUBooking) -> str:
        return AmountField().to_representation(booking.escrow - booking.owed)


@extend_schema_field({"type": "string", "description": "One state, or several with commas between them."})
class BookingStatesField(serializers.MultipleChoiceField):
    """States of bookings in a query string, which names each parameter once."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the set of states. Raises ValidationError for one that there is not."""
        states: Any = data.split(",") if isinstance(data, str) else data
        return super().to_internal_value(states)


class BookingFilterSerializer(StrictSerializer):
    """Which of the caller's bookings."""

    role = serializers.ChoiceField(choices=["renter", "provider"], required=False)
    state = BookingStatesField(choices=BookingState.choices, required=False)
    offer_id = serializers.UUIDField(required=False)


class BookingEventSerializer(ResourceSerializer):
    """One transition of a booking."""

    class Meta:
        model = BookingTransition
        fields: ClassVar = ["seq", "from_state", "to_state", "actor", "reason", "detail", "at"]


class BookingTimelineSerializer(serializers.Serializer[Any]):
    """A booking's whole timeline."""

    booking_id = serializers.UUIDField()
    items = BookingEventSerializer(many=True)


class BookingReasonSerializer(StrictSerializer):
    """Why, if the caller cares to say."""

    reason = serializers.CharField(max_length=300, default="", allow_blank=True)


class ReclaimSerializer(BookingReasonSerializer):
    """When the GPUs go back to the provider; the earliest moment the offer's notice allows, unless named."""

    at = TimestampField(required=False)


class ExtendSerializer(StrictSerializer):
    """How much more time, and what it may cost per hour at most."""

    duration_s = serializers.IntegerField(min_value=1, max_value=LONGEST_S, required=False)
    duration_hours = hours_field()
    max_rate = AmountField(required=False, min_value=1, help_text="AIT per hour in all; above it nothing happens.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = in_seconds(attrs)
        if "duration_s" not in attrs:
            raise serializers.ValidationError({"duration_s": ["This field is required."]})
        return {"seconds": attrs.pop("duration_s"), **attrs}


class ExtensionSerializer(ResourceSerializer):
    """More time for a booking: asked, while the money is being set aside, then held or refused."""

    extension_id = serializers.UUIDField(source="id", read_only=True)
    ends_at = serializers.SerializerMethodField(help_text="The end it leads to, once held.")

    class Meta:
        model = BookingExtension
        fields: ClassVar = [
            "id", "extension_id", "booking_id", "seconds", "rate", "amount", "state", "from_at", "ends_at",
            "created_at",
        ]  # fmt: skip

    @extend_schema_field(TimestampField)
    def get_ends_at(self, extension: BookingExtension) -> str:
        return TimestampField().to_representation(extension.until) or ""
