"""Slots and the spans of time they are taken for; PostgreSQL itself refuses to sell a slot-second twice (M1)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError

from aitbc.core.db import atomic, cursor, sqlstate
from aitbc.core.states import advance_many
from apps.marketplace.errors import SlotTaken
from apps.marketplace.logic import calendars
from apps.marketplace.models import BookingSlice, GPUBooking, MarketplaceOffer
from apps.marketplace.states import OfferState

OVERLAP = "23P01"
# Where two take one slot at once, the second waits for the first to commit and then inserts nothing; sorted slots and
# the speculative insertion of ON CONFLICT keep two such statements from waiting for each other.
TAKE = """
INSERT INTO marketplace_bookingslice (booking_id, slot, period, live)
SELECT %s, slot, tstzrange(%s, %s, '[)'), true FROM unnest(%s::uuid[]) AS slot ORDER BY slot
ON CONFLICT DO NOTHING RETURNING slot
"""
CUT = """
UPDATE marketplace_bookingslice s SET live = false, period = CASE
  WHEN lower(period) < e.at THEN tstzrange(lower(period), least(upper(period), e.at), '[)') ELSE period END
FROM unnest(%s::uuid[], %s::timestamptz[]) AS e(booking_id, at) WHERE s.booking_id = e.booking_id AND s.live
"""
MOVE_END = """
UPDATE marketplace_bookingslice SET period = tstzrange(lower(period), %s, '[)') WHERE booking_id = %s AND live
"""
# An offer is booked out while every one of its slots is taken at this moment, by a booking of whatever offer.
BOOKED_OUT = """
SELECT o.id FROM marketplace_marketplaceoffer o
WHERE o.id = ANY(%s) AND o.state = ANY(%s) AND (
  SELECT count(DISTINCT s.slot) FROM marketplace_bookingslice s
  WHERE s.live AND s.slot = ANY(o.slots) AND s.period @> %s::timestamptz
) {comparison} o.gpu_count ORDER BY o.id
"""


class Lost(Exception):
    """Another booking took a slot first."""


def take(booking_id: UUID, offer: MarketplaceOffer, count: int, start: datetime, end: datetime) -> list[UUID]:
    """Take `count` free slots of an offer for a span and return their ids.

    Raises SlotTaken, with the next free moment when it is known.
    """
    # Who loses a slot has seen one less free: so many tries, and it has one or there is none.
    for _ in range(len(offer.slots) + 1):
        free = calendars.free_slots(busy_spans(offer.slots, since=start), start, end)
        if len(free) < count:
            break
        # Everybody begins with other slots, so that few meet.
        chosen = sorted(free, key=lambda slot: hash((slot, booking_id)))[:count]
        try:
            return insert(booking_id, sorted(chosen), start, end)
        except Lost:
            continue
    raise slot_taken(offer, count, start, end)


def insert(booking_id: UUID, slots: Sequence[UUID], start: datetime, end: datetime) -> list[UUID]:
    """Take exactly these slots and return them. Raises Lost when one is taken."""
    with atomic(BookingSlice), cursor(BookingSlice) as sql:
        sql.execute(TAKE, [booking_id, start, end, list(slots)])
        if len(sql.fetchall()) < len(slots):
            raise Lost()
    return list(slots)


def busy_spans(slots: Collection[UUID], *, since: datetime) -> dict[UUID, list[calendars.Span]]:
    """Return the live spans of these slots that end after a moment; a free slot has none."""
    found: dict[UUID, list[calendars.Span]] = {slot: [] for slot in slots}
    live = BookingSlice.objects.filter(live=True, slot__in=list(slots), period__endswith__gt=since)
    for slot, period in live.values_list("slot", "period"):
        found[slot].append((period.lower, period.upper))
    return found


def slot_taken(offer: MarketplaceOffer, count: int, start: datetime, end: datetime) -> SlotTaken:
    """Return the refusal, with the next moment at which it would work."""
    when = next_free(offer, count, end - start, after=start)
    hint = f" The next moment for this is {when.isoformat()}." if when else ""
    return SlotTaken(
        f"Fewer than {count} GPUs of this offer are free from {start.isoformat()} to {end.isoformat()}.{hint}",
        next_free=when.isoformat() if when else None,
    )


def next_free(offer: MarketplaceOffer, count: int, duration: timedelta, *, after: datetime) -> datetime | None:
    """Return the earliest moment from `after` on at which `count` slots are free for so long, or None."""
    busy = busy_spans(offer.slots, since=after)
    return calendars.next_free(busy, count, duration, after, offer.available_until)


def release(bookings: Iterable[tuple[UUID, datetime]]) -> None:
    """Free the slots of (booking id, moment) pairs from the moment each booking ended."""
    ended = list(bookings)
    with cursor(BookingSlice) as sql:
        sql.execute(CUT, [[pk for pk, _ in ended], [at for _, at in ended]])


def move_end(booking: GPUBooking, end: datetime) -> None:
    """Let a booking hold its slots until another moment. Raises SlotTaken when another booking has them by then."""
    try:
        with atomic(BookingSlice), cursor(BookingSlice) as sql:
            sql.execute(MOVE_END, [end, booking.pk])
    except IntegrityError as error:
        if sqlstate(error) != OVERLAP:
            raise
        first = first_conflict(booking, end)
        hint = f" They are free until {first.isoformat()}." if first else ""
        raise SlotTaken(f"A later booking has these GPUs before {end.isoformat()}.{hint}") from None


def first_conflict(booking: GPUBooking, end: datetime) -> datetime | None:
    """Return when the next booking of these slots starts, or None."""
    slots = list(booking.slot_slices.values_list("slot", flat=True))
    later = BookingSlice.objects.filter(live=True, slot__in=slots, period__startswith__lt=end)
    starts = later.exclude(booking=booking).filter(period__startswith__gte=booking.ends_at)
    return min((period.lower for period in starts.values_list("period", flat=True)), default=None)


def show_occupancy(offer_ids: Collection[UUID], *, now: datetime, actor: str) -> None:
    """Set offers to booked out, or back to open, as their slots are taken at this moment."""
    if not offer_ids:
        return
    for source, to, comparison in (
        (OfferState.OPEN, OfferState.BOOKED_OUT, ">="), (OfferState.BOOKED_OUT, OfferState.OPEN, "<"),
    ):  # fmt: skip
        with atomic(MarketplaceOffer):
            ids = _among(offer_ids, source, comparison, now)
            advance_many(MarketplaceOffer, ids, to, actor=actor, reason="its slots", sources=[source])


def _among(offer_ids: Collection[UUID], state: str, comparison: str, now: datetime) -> list[UUID]:
    with cursor(MarketplaceOffer) as sql:
        sql.execute(BOOKED_OUT.format(comparison=comparison), [list(offer_ids), [str(state)], now])
        return [pk for (pk,) in sql.fetchall()]
