"""Quotes, bookings and extensions as they are asked for and shown."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from aitbc.core.serializers import (
    AmountField,
    LenientSerializer,
    QuantityField,
    ResourceSerializer,
    StrictSerializer,
)
from apps.marketplace.models import BookingExtension, BookingTransition, GPUBooking, Quote
from apps.marketplace.states import BookingState

LONGEST_S = 366 * 86_400
HOURS = {"max_digits": 8, "decimal_places": 4, "min_value": Decimal("0.0003"), "max_value": Decimal(8784)}


def only_once(given: dict[str, Any]) -> dict[str, Any]:
    """One duration in seconds, however it was written."""
    hours = given.pop("duration_hours", None)
    if hours is not None:
        if "duration_s" in given:
            raise serializers.ValidationError({"duration_hours": ["Give duration_s or duration_hours, not both."]})
        given["duration_s"] = max(1, int(hours * 3600))
    return given


class TermsSerializer(StrictSerializer):
    """How many GPUs, when and for how long."""

    gpu_count = serializers.IntegerField(min_value=1, max_value=1024, required=False, help_text="Else all of them.")
    duration_s = serializers.IntegerField(min_value=1, max_value=LONGEST_S, required=False)
    duration_hours = QuantityField(required=False, **HOURS)
    starts_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Else at once.")
    storage_gb = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "two GPUs for a day",
            {"offer_id": "0190f3c2-0000-7000-8000-000000000001", "gpu_count": 2, "duration_hours": "24"},
            request_only=True,
        )
    ]
)
class QuoteRequestSerializer(TermsSerializer):
    """What to name a price for."""

    offer_id = serializers.UUIDField()

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        given = only_once(given)
        if "duration_s" not in given:
            raise serializers.ValidationError({"duration_s": ["This field is required."]})
        return given


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

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        given = only_once(given)
        if "quote_id" in given:
            if said := sorted(set(given) - {"quote_id"}):
                raise serializers.ValidationError({name: ["The quote says that already."] for name in said})
            return given
        if missing := [name for name in ("offer_id", "duration_s") if name not in given]:
            raise serializers.ValidationError({name: ["This field is required, or a quote_id."] for name in missing})
        return given


@extend_schema_serializer(
    examples=[OpenApiExample("as the old command line sends it", {"duration_hours": 1.0}, request_only=True)]
)
class OfferBookSerializer(LenientSerializer):
    """Terms for one offer, also in the predecessor's words; fields not known here (wallet, price …) are ignored."""

    gpu_count = serializers.IntegerField(min_value=1, max_value=1024, required=False)
    duration_s = serializers.IntegerField(min_value=1, max_value=LONGEST_S, required=False)
    duration_hours = QuantityField(required=False, **HOURS)
    starts_at = serializers.DateTimeField(required=False, allow_null=True)
    storage_gb = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False)
    quote_id = serializers.UUIDField(required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        given = only_once(given)
        if "quote_id" in given:
            return {"quote_id": given["quote_id"]}
        return {"duration_s": 3600, **given}


class QuoteItemSerializer(serializers.Serializer[Any]):
    """One line of a quote."""

    item = serializers.ChoiceField(choices=["gpu", "storage"])
    quantity = serializers.IntegerField()
    unit = serializers.CharField()
    price = serializers.CharField(help_text="AIT per unit and `per`.")
    per = serializers.CharField()
    amount = serializers.CharField(help_text="AIT for the whole time.")


class QuoteBodySerializer(serializers.Serializer[Any]):
    """What is signed, as canonical JSON (RFC 8785)."""

    v = serializers.IntegerField()
    quote_id = serializers.UUIDField()
    offer_id = serializers.UUIDField()
    offer_revision = serializers.IntegerField()
    renter_id = serializers.UUIDField()
    currency = serializers.CharField()
    gpu_count = serializers.IntegerField()
    duration_s = serializers.IntegerField()
    starts_at = serializers.CharField(allow_null=True)
    items = QuoteItemSerializer(many=True)
    rate_per_hour = serializers.CharField()
    total = serializers.CharField(help_text="The most it can cost; the fee is part of it, paid by the provider.")
    escrow = serializers.CharField(help_text="What will be set aside.")
    fee_bp = serializers.IntegerField()
    fee = serializers.CharField()
    bond = serializers.CharField(help_text="What the provider pledges to you.")
    made_at = serializers.CharField()
    expires_at = serializers.CharField()


class QuoteSignatureSerializer(serializers.Serializer[Any]):
    """Ed25519 over the tag, a newline and the canonical body; keys at /.well-known/aitbc-keys.json."""

    alg = serializers.CharField()
    key_id = serializers.CharField()
    sig = serializers.CharField()


class QuoteSerializer(ResourceSerializer):
    """A price kept open for a minute."""

    quote_id = serializers.UUIDField(source="id", read_only=True)
    body = QuoteBodySerializer(read_only=True)
    signature = QuoteSignatureSerializer(read_only=True)
    tag = serializers.SerializerMethodField()

    class Meta:
        model = Quote
        fields: ClassVar = [
            "id", "quote_id", "offer_id", "gpu_count", "duration_s", "starts_at", "storage_gb", "price_gpu_hour",
            "price_storage_gb_month", "body", "tag", "signature", "expires_at", "used_at", "created_at",
        ]  # fmt: skip

    def get_tag(self, quote: Quote) -> str:
        from apps.marketplace.services.quotes import TAG

        return TAG


class BookingSerializer(ResourceSerializer):
    """GPU time rented. Amounts are AIT, rates AIT per hour; escrow = paid + fee + refunded once it is settled."""

    booking_id = serializers.UUIDField(source="id", read_only=True)
    status = serializers.CharField(source="state", read_only=True, help_text="The state, for old clients.")
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


class BookingFilterSerializer(StrictSerializer):
    """Which of the caller's bookings."""

    role = serializers.ChoiceField(choices=["renter", "provider"], required=False)
    state = serializers.MultipleChoiceField(choices=BookingState.choices, required=False)
    offer_id = serializers.UUIDField(required=False)

    def to_internal_value(self, data: Any) -> Any:
        given = dict(data)
        if isinstance(given.get("state"), str):
            given["state"] = given["state"].split(",")
        return super().to_internal_value(given)


class BookingEventSerializer(ResourceSerializer):
    """One move of a booking."""

    class Meta:
        model = BookingTransition
        fields: ClassVar = ["seq", "from_state", "to_state", "actor", "reason", "detail", "at"]


class BookingTimelineSerializer(serializers.Serializer[Any]):
    """A booking's whole timeline."""

    booking_id = serializers.UUIDField()
    items = BookingEventSerializer(many=True)


class ReasonGivenSerializer(StrictSerializer):
    """Why, if the caller cares to say."""

    reason = serializers.CharField(max_length=300, default="", allow_blank=True)


class ReclaimSerializer(ReasonGivenSerializer):
    """When the GPUs are wanted back; the earliest moment the offer's notice allows, unless named."""

    at = serializers.DateTimeField(required=False)


class ExtendSerializer(StrictSerializer):
    """How much more time, and what it may cost per hour at most."""

    duration_s = serializers.IntegerField(min_value=1, max_value=LONGEST_S, required=False)
    duration_hours = QuantityField(required=False, **HOURS)
    max_rate = AmountField(required=False, min_value=1, help_text="AIT per hour in all; above it nothing happens.")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        given = only_once(given)
        if "duration_s" not in given:
            raise serializers.ValidationError({"duration_s": ["This field is required."]})
        return {"seconds": given.pop("duration_s"), **given}


class ExtensionSerializer(ResourceSerializer):
    """More time for a booking: asked while the money is being set aside, then held or refused."""

    extension_id = serializers.UUIDField(source="id", read_only=True)
    ends_at = serializers.SerializerMethodField(help_text="The end it leads to, once held.")

    class Meta:
        model = BookingExtension
        fields: ClassVar = [
            "id", "extension_id", "booking_id", "seconds", "rate", "amount", "state", "from_at", "ends_at",
            "created_at",
        ]  # fmt: skip

    @extend_schema_field(serializers.DateTimeField)
    def get_ends_at(self, extension: BookingExtension) -> str:
        return serializers.DateTimeField().to_representation(extension.until) or ""


class LegacyBookedSerializer(BookingSerializer):
    """A booking, with the names the predecessor's clients read."""

    bid_id = serializers.UUIDField(source="id", read_only=True)
    provider = serializers.SerializerMethodField()
    message = serializers.SerializerMethodField()
    escrow_contract_id = serializers.UUIDField(source="id", read_only=True)
    status = serializers.SerializerMethodField(help_text="pending while the money is being set aside.")

    class Meta:
        model = GPUBooking
        fields: ClassVar = [*BookingSerializer.Meta.fields, "bid_id", "provider", "message", "escrow_contract_id"]

    def get_provider(self, booking: GPUBooking) -> str:
        return booking.offer.provider_name or str(booking.provider_id)

    def get_status(self, booking: GPUBooking) -> str:
        return "pending" if booking.state == BookingState.REQUESTED else booking.state

    def get_message(self, booking: GPUBooking) -> str:
        return f"{booking.gpu_count} GPU booked until {booking.ends_at.isoformat()}; the money is being set aside."
