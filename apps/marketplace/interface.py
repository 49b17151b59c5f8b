"""What other domains may ask the marketplace: answers are frozen, nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Avg, Count

from apps.marketplace.models import GPUBooking, GPUReview


@dataclass(frozen=True, kw_only=True)
class BookingView:
    """A booking as it stands now: whose it is, on which miner's cards, and until when."""

    id: UUID
    renter_id: UUID
    provider_id: UUID
    miner_id: UUID | None  # None: the offer is not backed by a registered miner
    state: str
    gpu_ids: list[UUID]
    starts_at: datetime
    ends_at: datetime


def booking_of(booking_id: UUID | str) -> BookingView | None:
    """The booking with this id, or None."""
    booking = GPUBooking.objects.filter(pk=booking_id).first()
    if booking is None:
        return None
    return BookingView(
        id=booking.pk,
        renter_id=booking.renter_id,
        provider_id=booking.provider_id,
        miner_id=booking.miner_id,
        state=booking.state,
        gpu_ids=list(booking.slot_slices.order_by("slot").values_list("slot", flat=True)),
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
    )


@dataclass(frozen=True, kw_only=True)
class Rating:
    """What renters said of a provider's card, after paid use."""

    average: float | None
    count: int


def rating_of(gpu_id: UUID) -> Rating:
    """Mean and number of the shown reviews of bookings that had this card."""
    reviews = GPUReview.objects.shown().filter(subject=GPUReview.Subject.PROVIDER, booking__slot_slices__slot=gpu_id)
    found = reviews.aggregate(average=Avg("rating"), count=Count("pk"))
    return Rating(average=None if found["average"] is None else round(found["average"], 2), count=found["count"])
