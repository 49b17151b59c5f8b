"""Questions other domains may ask the marketplace: answers are frozen, nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Avg, Count

from apps.marketplace.events import BookingClosed
from apps.marketplace.models import GPUBooking, GPUReview, MarketplaceBid
from apps.marketplace.services import event_builders
from apps.marketplace.states import BID_TRANSITIONS, BROKEN, LIVE, RUNNING, BookingState

#: Over, as far as money is concerned: the meter has stopped for good.
OVER = (BookingState.ENDED, *BROKEN, BookingState.SETTLED)


@dataclass(frozen=True, kw_only=True)
class BookingView:
    """One booking as other domains may know it; `gpu_ids` are empty when the offer has no registered GPUs."""

    id: UUID
    renter_id: UUID
    provider_id: UUID
    miner_id: UUID | None
    offer_id: UUID
    state: str
    gpu_ids: tuple[UUID, ...]
    starts_at: datetime
    ends_at: datetime
    live: bool  # its slots are taken
    running: bool  # the renter has the cards, the meter runs


def booking_of(booking_id: UUID | str) -> BookingView | None:
    """Return the booking of this id, or None; the caller judges whether it may be used."""
    return bookings_of([UUID(str(booking_id))]).get(UUID(str(booking_id)))


def bookings_of(booking_ids: Iterable[UUID]) -> dict[UUID, BookingView]:
    """Return those of these bookings that exist, by id."""
    rows = GPUBooking.objects.filter(pk__in=list(booking_ids)).prefetch_related("slot_slices")
    return {row.pk: _view(row) for row in rows}


def live_of_miner(miner_id: UUID) -> list[BookingView]:
    """Return a miner's bookings that are not over, soonest first."""
    rows = (
        GPUBooking.objects.live().filter(miner_id=miner_id).order_by("starts_at", "pk").prefetch_related("slot_slices")
    )
    return [_view(row) for row in rows]


def over(booking_ids: Iterable[UUID], *, before: datetime | None = None) -> list[BookingClosed]:
    """Return the BookingClosed event of each of these bookings whose meter has stopped for good, as it was emitted.

    With `before`, only those that ended earlier than that moment. Bookings that are not over are left out.
    """
    rows = GPUBooking.objects.filter(pk__in=list(booking_ids), state__in=OVER)
    if before is not None:
        rows = rows.filter(ended_at__lt=before)
    return [event_builders.closed(row) for row in rows]


def bids_over(bid_ids: Iterable[UUID]) -> list[UUID]:
    """Return those of these bids that need no bond any more; a won one's booking has a bond of its own."""
    final = [state for state, following in BID_TRANSITIONS.items() if not following]
    return list(MarketplaceBid.objects.filter(pk__in=list(bid_ids), state__in=final).values_list("pk", flat=True))


def unknown(ids: Iterable[UUID]) -> set[UUID]:
    """Return those of these ids that are neither a booking's nor a bid's."""
    named = set(ids)
    bookings = GPUBooking.objects.filter(pk__in=named).values_list("pk", flat=True)
    bids = MarketplaceBid.objects.filter(pk__in=named).values_list("pk", flat=True)
    return named.difference(bookings, bids)


@dataclass(frozen=True, kw_only=True)
class Rating:
    """The reviews of a provider's GPU by renters who paid for it."""

    average: float | None
    count: int


def rating_of(gpu_id: UUID) -> Rating:
    """Return mean (1 to 5) and number of the shown reviews of bookings that had this GPU."""
    reviews = GPUReview.objects.shown().filter(subject=GPUReview.Subject.PROVIDER, booking__slot_slices__slot=gpu_id)
    found = reviews.aggregate(average=Avg("rating"), count=Count("pk"))
    return Rating(average=None if found["average"] is None else round(found["average"], 2), count=found["count"])


def _view(row: GPUBooking) -> BookingView:
    gpu_ids = sorted(piece.slot for piece in row.slot_slices.all()) if row.miner_id else []
    return BookingView(
        id=row.pk, renter_id=row.renter_id, provider_id=row.provider_id, miner_id=row.miner_id, offer_id=row.offer_id,
        state=row.state, gpu_ids=tuple(gpu_ids), starts_at=row.starts_at, ends_at=row.ends_at,
        live=row.state in LIVE, running=row.state in RUNNING,
    )  # fmt: skip
