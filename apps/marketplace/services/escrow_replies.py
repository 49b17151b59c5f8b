"""Trading's replies about escrows: held, refused, closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from aitbc.core.db import atomic
from aitbc.core.messaging import emit
from aitbc.core.money import format_amount
from aitbc.core.states import advance_many
from apps.marketplace.models import GPUBooking
from apps.marketplace.selectors import clock
from apps.marketplace.services import event_builders, provisioning, slots
from apps.marketplace.states import BROKEN, BookingState

if TYPE_CHECKING:
    from apps.trading.events import EscrowClosed, EscrowHeld, EscrowRefused

ACTOR = "system:trading"


def reserve(events: Sequence[EscrowHeld]) -> None:
    """Reserve the bookings whose money is set aside, and start those whose time has come."""
    now = clock.now()
    with atomic(GPUBooking):
        rows = requested_among(UUID(event.booking_id) for event in events)
        ids = [booking.pk for booking in rows]
        advance_many(GPUBooking, ids, BookingState.RESERVED, actor=ACTOR, reason="the money is set aside")
        for booking in rows:
            booking.state, booking.version = BookingState.RESERVED, booking.version + 1
        emit(*(event_builders.reserved(booking) for booking in rows), by="marketplace")
        provisioning.start([b for b in rows if b.starts_at <= now < b.ends_at], now=now)


def refuse(events: Sequence[EscrowRefused]) -> None:
    """End the bookings whose money or bond could not be set aside; their slots are free again."""
    now, by_booking = clock.now(), {UUID(event.booking_id): event for event in events}
    with atomic(GPUBooking):
        for booking in requested_among(by_booking):
            event = by_booking[booking.pk]
            who = "the renter" if event.party == "renter" else "the provider, for its bond,"
            booking.advance(
                BookingState.INSUFFICIENT_FUNDS, actor=ACTOR, ended_at=now, outcome=BookingState.INSUFFICIENT_FUNDS,
                reason=f"{who} has {format_amount(event.available)} of {format_amount(event.needed)} AIT",
            )  # fmt: skip
            slots.release([(booking.pk, now)])


def requested_among(ids: object) -> list[GPUBooking]:
    """Return those of these bookings that wait for their money, locked."""
    rows = GPUBooking.objects.filter(pk__in=list(ids)).locked()  # type: ignore[call-overload]
    return [booking for booking in rows if booking.state == BookingState.REQUESTED]


def settle(events: Sequence[EscrowClosed]) -> None:
    """Settle the bookings whose money is divided; repeated events, or of a booking that is not over, change nothing."""
    by_booking = {UUID(event.booking_id): event for event in events}
    over = (BookingState.ENDED, *BROKEN)
    with atomic(GPUBooking):
        rows = [b for b in GPUBooking.objects.filter(pk__in=list(by_booking)).locked() if b.state in over]
        for booking in rows:
            event = by_booking[booking.pk]
            booking.paid, booking.fee, booking.refunded = event.paid, event.fee, event.refunded
            booking.compensation = event.compensation
        GPUBooking.objects.bulk_update(rows, ["paid", "fee", "refunded", "compensation"])
        ids = [booking.pk for booking in rows]
        advance_many(GPUBooking, ids, BookingState.SETTLED, actor=ACTOR, reason="the money is divided")
