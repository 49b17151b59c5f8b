"""How bookings end: the last slice of use, who let whom down, the slots free again, one fact for other domains.

| outcome | owed | bond |
|---|---|---|
| ended (time over, reclaimed, or the renter's word) | what was used; on its word at least the minimum | given back |
| cancelled_renter | before it is active nothing, after as above | given back |
| cancelled_provider, no_show | what was used | up to one hour's price to the renter |
| failed_hardware | what was used until the card was gone | given back |

Whatever the outcome, nothing is owed for the time after the last heartbeat of a miner that has fallen silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aitbc.core.messaging import emit
from aitbc.core.states import advance_many
from apps.marketplace.models import GPUBooking, ReliabilityEvent
from apps.marketplace.services import event_builders, metering, reliability, slots
from apps.marketplace.states import RUNNING, BookingState

FIELDS = (*metering.FIELDS, "ended_at", "compensation", "outcome")
#: The provider let the renter down: its bond pays.
FAULTS = (BookingState.NO_SHOW, BookingState.CANCELLED_PROVIDER)
#: What each outcome says of the miner's reliability; a renter's own cancellation says nothing.
EVIDENCE = {
    BookingState.ENDED: (ReliabilityEvent.Kind.BOOKING, True),
    BookingState.NO_SHOW: (ReliabilityEvent.Kind.NO_SHOW, False),
    BookingState.CANCELLED_PROVIDER: (ReliabilityEvent.Kind.PROVIDER_CANCEL, False),
    BookingState.FAILED_HARDWARE: (ReliabilityEvent.Kind.FAILED_HARDWARE, False),
}


@dataclass(frozen=True, kw_only=True)
class Ending:
    """One booking, locked, and how it ends: when the meter stops, and how much is charged at least."""

    booking: GPUBooking
    at: datetime
    least_ms: int = 0

    @property
    def metered_until(self) -> datetime:
        """The moment up to which use is charged: the end, or the minimum charge, never past what was booked."""
        booking = self.booking
        if booking.activated_at is None or booking.state not in RUNNING:
            return self.at
        least = booking.activated_at + timedelta(milliseconds=self.least_ms)
        return min(max(self.at, least), booking.ends_at)


def finish(endings: Sequence[Ending], to: BookingState, *, actor: str, reason: str = "") -> None:
    """End these bookings in one state, in the caller's transaction: meter, free the slots, emit BookingClosed."""
    bookings = [ending.booking for ending in endings]
    alive_until = metering.life_ends(running_among(bookings))
    until = {one.booking.pk: one.metered_until for one in endings}
    events = metering.meter(bookings, {pk: min(at, alive_until.get(pk, at)) for pk, at in until.items()})
    for ending in endings:
        booking = ending.booking
        booking.ended_at, booking.outcome = ending.at, str(to)
        booking.compensation = min(booking.bond, booking.rate) if to in FAULTS else 0
    GPUBooking.objects.bulk_update(bookings, FIELDS)
    advance_many(GPUBooking, [booking.pk for booking in bookings], to, actor=actor, reason=reason)
    for booking in bookings:
        booking.state, booking.version = to, booking.version + 1
    slots.release((ending.booking.pk, ending.at) for ending in endings)
    note_reliability(bookings, to)
    emit(*events, *(event_builders.closed(booking) for booking in bookings), by="marketplace")
    if bookings:
        latest = max(ending.at for ending in endings)
        slots.show_occupancy({booking.offer_id for booking in bookings}, now=latest, actor=actor)


def running_among(bookings: Sequence[GPUBooking]) -> list[GPUBooking]:
    """Return those of these bookings whose meter runs."""
    return [booking for booking in bookings if booking.state in RUNNING]


def note_reliability(bookings: Sequence[GPUBooking], to: BookingState) -> None:
    """Note what this outcome says of the miners' reliability."""
    if to not in EVIDENCE:
        return
    kind, ok = EVIDENCE[to]
    for booking in bookings:
        if booking.miner_id is not None:
            reliability.note(
                miner_id=booking.miner_id, provider_id=booking.provider_id, kind=kind, ok=ok, ref=str(booking.pk),
                at=booking.ended_at,
            )  # fmt: skip
