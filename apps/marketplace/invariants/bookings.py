"""Invariants of bookings: M1 and M3 (nothing is sold twice), M2 (what runs is paid for), M9 (their history)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aitbc.core.db import cursor
from aitbc.core.invariants import each_chunk, invariant
from aitbc.core.money import metered
from apps.marketplace.logic.durations import ms_between
from apps.marketplace.models import GPUBooking
from apps.marketplace.services import metering
from apps.marketplace.states import BROKEN, LIVE, RUNNING, BookingState
from apps.trading import interface as trading

LIMIT = 100
#: From here on the money is set aside.
FUNDED = (BookingState.RESERVED, BookingState.PROVISIONING, *RUNNING)


def rows(statement: str, *values: Any) -> Iterator[tuple[Any, ...]]:
    with cursor(GPUBooking) as sql:
        sql.execute(statement, list(values))
        yield from sql.fetchmany(LIMIT)


OVERLAPS = """
SELECT a.slot, a.booking_id, b.booking_id FROM marketplace_bookingslice a
JOIN marketplace_bookingslice b ON b.slot = a.slot AND b.id > a.id AND b.period && a.period
WHERE a.live AND b.live
"""
MISLAID = """
SELECT b.id, b.state, count(s.id) FILTER (WHERE s.live), b.gpu_count FROM marketplace_gpubooking b
LEFT JOIN marketplace_bookingslice s ON s.booking_id = b.id
GROUP BY b.id HAVING count(s.id) <> b.gpu_count
  OR count(s.id) FILTER (WHERE s.live) <> CASE WHEN b.state = ANY(%s) THEN b.gpu_count ELSE 0 END
"""
# The slots of a live booking cover its time; while an extension is being paid for, they already reach further.
SHORT = """
SELECT b.id FROM marketplace_gpubooking b JOIN marketplace_bookingslice s ON s.booking_id = b.id
WHERE s.live AND NOT s.period @> tstzrange(b.starts_at, b.ends_at, '[)')
"""


@invariant("M1", db="marketplace")
def no_slot_is_sold_twice() -> Iterable[str]:
    """No two live bookings share a slot-second, and every live booking has its slots for all of its time."""
    for slot, one, other in rows(OVERLAPS):
        yield f"slot {slot} is sold to bookings {one} and {other} at once"
    for booking_id, state, live, count in rows(MISLAID, list(map(str, LIVE))):
        yield f"booking {booking_id} is {state} with {live} live slots of {count}"
    for (booking_id,) in rows(SHORT):
        yield f"booking {booking_id} has slots for less than its time"


OVERSOLD = """
SELECT s.booking_id, b.offer_id, b.gpu_count FROM marketplace_bookingslice s
JOIN marketplace_gpubooking b ON b.id = s.booking_id JOIN marketplace_marketplaceoffer o ON o.id = b.offer_id
WHERE s.live AND (
  SELECT count(*) FROM marketplace_bookingslice t JOIN marketplace_gpubooking c ON c.id = t.booking_id
  WHERE t.live AND c.offer_id = b.offer_id AND t.period @> lower(s.period)
) > o.gpu_count
"""


@invariant("M3", db="marketplace")
def no_more_is_booked_than_offered() -> Iterable[str]:
    """At each instant an offer's live bookings take at most the GPUs it has."""
    for booking_id, offer_id, _ in rows(OVERSOLD):
        yield f"offer {offer_id} has more GPUs booked than it offers when booking {booking_id} begins"


@invariant("M2", db="marketplace")
def what_runs_is_paid_for() -> Iterable[str]:
    """What is set aside covers the next interval of every booking, and what it owes is what it used."""
    yield from each_chunk(GPUBooking.objects.filter(state__in=FUNDED), not_paid_for)
    yield from each_chunk(GPUBooking.objects.all(), owing_otherwise)


def not_paid_for(bookings: list[GPUBooking]) -> Iterator[str]:
    for booking in bookings:
        left = ms_between(booking.activated_at or booking.starts_at, booking.ends_at) - booking.metered_ms
        interval = min(left, metering.EVERY.seconds * 1000)
        if booking.escrow - booking.owed < metered(booking.rate, max(interval, 0)):
            left_over = booking.escrow - booking.owed
            yield f"booking {booking.pk} has {left_over} micro-AIT left, less than its next interval costs"


def owing_otherwise(bookings: list[GPUBooking]) -> Iterator[str]:
    """Yield the bookings, also those that are over, whose debt is not what was metered: a minimum counts as metered."""
    spans = metering.rate_spans(bookings)
    for booking in bookings:
        parts = metering.rates_between(spans[booking.pk], 0, booking.metered_ms)
        if sum(rate * ms for rate, ms in parts) != booking.owed * 3_600_000 + booking.carry:
            yield f"booking {booking.pk} owes {booking.owed} for {booking.metered_ms} ms, which its rates do not make"


@invariant("M2", db="marketplace", quiescent=True)
def trading_agrees() -> Iterable[str]:
    """Trading holds, has paid and has given back what each booking says, between the same two parties."""
    known = [*FUNDED, *BROKEN, BookingState.ENDED, BookingState.SETTLED]
    yield from each_chunk(GPUBooking.objects.filter(state__in=known), unlike_their_escrows)


def unlike_their_escrows(bookings: list[GPUBooking]) -> Iterator[str]:
    escrows = trading.escrows_of(booking.pk for booking in bookings)
    for booking in bookings:
        held = escrows.get(booking.pk)
        if held is None:
            yield f"booking {booking.pk} is {booking.state}, but trading knows nothing of it"
        elif (held.renter_id, held.provider_id) != (booking.renter_id, booking.provider_id):
            yield f"booking {booking.pk} is of another renter or provider than its escrow"
        elif booking.state in FUNDED and (held.state, held.amount) != ("held", booking.escrow):
            yield f"booking {booking.pk} counts on {booking.escrow}, its escrow is {held.state} with {held.amount}"
        elif booking.state in FUNDED and held.paid + held.fee != booking.owed:
            yield f"booking {booking.pk} owes {booking.owed}, trading paid {held.paid + held.fee}"
        elif booking.state == BookingState.SETTLED:
            yield from settled_otherwise(booking, held)


def settled_otherwise(booking: GPUBooking, held: trading.EscrowView) -> Iterator[str]:
    recorded = (booking.paid, booking.fee, booking.refunded)
    if held.state == "held" or recorded != (held.paid, held.fee, held.refunded):
        settled = (held.paid, held.fee, held.refunded)
        yield f"booking {booking.pk} says {recorded}, trading {settled} and {held.state}"
    if booking.paid + booking.fee != booking.owed:
        yield f"booking {booking.pk} owed {booking.owed}, but {booking.paid + booking.fee} was paid"


OFF_HISTORY = """
SELECT b.id, b.state, b.version, h.last, h.top FROM marketplace_gpubooking b LEFT JOIN (
  SELECT subject_id, max(seq) AS top, count(*) AS transitions, (array_agg(to_state ORDER BY seq DESC))[1] AS last
  FROM marketplace_bookingtransition GROUP BY 1) h ON h.subject_id = b.id
WHERE h.last IS DISTINCT FROM b.state OR h.top IS DISTINCT FROM b.version OR h.transitions - 1 <> h.top
"""


@invariant("M9", db="marketplace")
def history_explains_every_booking() -> Iterable[str]:
    """A booking's history leads to its present state, without a gap."""
    for booking_id, state, version, last, top in rows(OFF_HISTORY):
        yield f"booking {booking_id} is {state} (version {version}), its history says {last} (transition {top})"
