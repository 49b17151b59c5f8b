"""Use, measured in milliseconds and written down in slices that add up to the whole.

owed = ⌊Σ rate × ms / 3,600,000⌋ over the spans of one rate each; the remainder goes on to the next slice. A slice
reaches to its miner's last heartbeat; after the last one of a miner that fell silent nothing is charged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError

from aitbc.core.db import atomic
from aitbc.core.messaging import emit
from aitbc.core.money import metered_parts
from apps.gpu.interface import Heard, last_heard
from apps.marketplace.events import BookingMetered
from apps.marketplace.logic.durations import MILLISECOND, ms_between
from apps.marketplace.models import BookingExtension, GPUBooking
from apps.marketplace.services import event_builders

#: A running booking is metered at least this often, and at its end.
EVERY = timedelta(seconds=60)
FIELDS = ("metered_ms", "carry", "owed", "slices")


def run(*, now: datetime, limit: int = 500) -> int:
    """Meter running bookings that were last metered a minute ago; return how many went on.

    While gpu cannot be read they wait.
    """
    with atomic(GPUBooking):
        due = list(GPUBooking.objects.to_meter(now - EVERY).locked_free()[:limit])
        before = {booking.pk: booking.metered_ms for booking in due}
        try:
            heard = heard_of(due)
        except (OperationalError, InterfaceError):
            return 0
        events = meter(due, {b.pk: min(now, b.ends_at, heard[b.pk].at if b.pk in heard else now) for b in due})
        GPUBooking.objects.bulk_update(due, FIELDS)
        emit(*events, by="marketplace")
    return sum(booking.metered_ms > before[booking.pk] for booking in due)


def heard_of(bookings: Sequence[GPUBooking]) -> dict[object, Heard]:
    """Return when the miner of each of these bookings was last heard; those without a miner are left out."""
    miners = {booking.pk: booking.miner_id for booking in bookings if booking.miner_id is not None}
    heard = last_heard(set(miners.values())) if miners else {}
    return {pk: heard[miner] for pk, miner in miners.items() if miner in heard}


def life_ends(bookings: Sequence[GPUBooking]) -> dict[object, datetime]:
    """Return until when the miners of these bookings were alive, for those that have fallen silent.

    While gpu cannot be read, which is nobody's fault here, all count as alive.
    """
    try:
        heard = heard_of(bookings)
    except (OperationalError, InterfaceError):
        return {}
    return {pk: last.at for pk, last in heard.items() if last.silent}


def meter(bookings: Sequence[GPUBooking], until: dict[object, datetime]) -> list[BookingMetered]:
    """Advance the meters of these bookings (locked, running or just ended) to a moment each; return the events to emit.

    The rows are changed in memory: the caller saves FIELDS and emits the events, in this order.
    """
    spans = rate_spans(bookings)
    return [fact for b in bookings if (fact := _metered(b, spans[b.pk], until[b.pk])) is not None]


def _metered(booking: GPUBooking, spans: Sequence[tuple[int, int]], until: datetime) -> BookingMetered | None:
    if booking.activated_at is None:
        return None
    total = ms_between(booking.activated_at, until)
    if total <= booking.metered_ms:
        return None
    parts = rates_between(spans, booking.metered_ms, total)
    amount, booking.carry = metered_parts(parts, booking.carry)
    booking.metered_ms = total
    if not amount:
        return None
    booking.owed += amount
    booking.slices += 1
    return event_builders.metered(booking, amount=amount, until=until.isoformat())


def rates_between(spans: Sequence[tuple[int, int]], start: int, end: int) -> Iterable[tuple[int, int]]:
    """Yield (rate, milliseconds) for each rate that holds in [start, end); spans are (from, rate), rising, first from
    0."""
    for (since, rate), upper in zip(spans, [since for since, _ in spans[1:]] + [end], strict=True):
        low, high = max(start, since), min(end, max(upper, since))
        if high > low:
            yield rate, high - low


def rate_spans(bookings: Sequence[GPUBooking]) -> dict[object, list[tuple[int, int]]]:
    """Return by booking which rate holds from which millisecond of activity on: its own, then those of its
    extensions."""
    spans: dict[object, list[tuple[int, int]]] = {b.pk: [(0, b.rate)] for b in bookings}
    activated = {b.pk: b.activated_at for b in bookings}
    extensions = BookingExtension.objects.held().filter(booking__in=[b.pk for b in bookings])
    for extension in extensions.order_by("from_at", "pk"):
        start = activated[extension.booking_id]
        if start is not None:
            spans[extension.booking_id].append((ms_between(start, extension.from_at), extension.rate))
    return spans


def moment_of(booking: GPUBooking, milliseconds: int) -> datetime:
    """Return the moment at which a booking has been active for so long."""
    assert booking.activated_at is not None
    return booking.activated_at + milliseconds * MILLISECOND
