"""The sweep of bookings, every few seconds; two at once share the work and do no harm."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from aitbc.core.db import atomic
from aitbc.core.messaging import emit
from apps.marketplace.models import BookingExtension, GPUBooking, Outbox
from apps.marketplace.models.bookings import BookingQuerySet
from apps.marketplace.selectors import clock
from apps.marketplace.services import event_builders, metering, provisioning
from apps.marketplace.services.booking_endings import Ending, finish
from apps.marketplace.states import BookingState

BATCH = 500
ACTOR = "system:bookings"
#: How long trading may take before a request is repeated.
PATIENCE = timedelta(minutes=1)
#: How long a booking outlives its end while the money for its extension is on the way.
GRACE = timedelta(seconds=30)


def run(*, now: datetime | None = None) -> int:
    """Start what is due, end what is over, meter what runs, repeat what trading has not answered; return how many
    rows."""
    now = now or clock.now()
    sweeps: tuple[Callable[..., int], ...] = (start_due, end_no_shows, end_over, meter_running, reconcile)
    return sum(until_empty(sweep, now) for sweep in sweeps)


def until_empty(sweep: Callable[..., int], now: datetime) -> int:
    """Run a sweep until it finds less than a batch; return how many rows it changed."""
    total = done = sweep(now=now)
    while done == BATCH and sweep is not reconcile:
        done = sweep(now=now)
        total += done
    return total


def start_due(*, now: datetime) -> int:
    """Start reserved bookings whose time has come; return how many."""
    with atomic(GPUBooking):
        rows = locked_batch(GPUBooking.objects.due_to_start(now))
        missed = [Ending(booking=row, at=now) for row in rows if row.ends_at <= now]
        # Nobody's fault but the exchange's: all of the money goes back, no bond is touched.
        finish(missed, BookingState.CANCELLED_RENTER, actor=ACTOR, reason="the exchange was too late to start it")
        provisioning.start([row for row in rows if row.ends_at > now], now=now)
    return len(rows)


def end_no_shows(*, now: datetime) -> int:
    """End bookings that nobody made ready in time, or before they were over; return how many."""
    with atomic(GPUBooking):
        rows = locked_batch(GPUBooking.objects.not_provisioned(now))
        endings = [Ending(booking=row, at=now) for row in rows]
        finish(endings, BookingState.NO_SHOW, actor=ACTOR, reason="not ready in time")
    return len(rows)


def end_over(*, now: datetime) -> int:
    """End bookings whose time is over; one whose extension is being paid for waits a little. Returns how many."""
    extending = BookingExtension.objects.pending().filter(booking__ends_at__gt=now - GRACE).values("booking")
    with atomic(GPUBooking):
        rows = locked_batch(GPUBooking.objects.over(now).exclude(pk__in=extending))
        endings = [Ending(booking=row, at=row.ends_at) for row in rows]
        finish(endings, BookingState.ENDED, actor=ACTOR, reason="its time is over")
    return len(rows)


def meter_running(*, now: datetime) -> int:
    """Meter running bookings; return how many."""
    return metering.run(now=now, limit=BATCH)


def locked_batch(rows: BookingQuerySet) -> list[GPUBooking]:
    """Return a batch of these rows, locked, that no other sweep has in hand."""
    return list(rows.locked_free()[:BATCH])


def reconcile(*, now: datetime) -> int:
    """Emit again, with the same ids, what trading has not answered for a minute; return how many events."""
    before = now - PATIENCE
    with atomic(GPUBooking):
        to_repeat = locked_batch(GPUBooking.objects.unanswered(before).exclude(Outbox.objects.about("trading")))
        pending = list(
            BookingExtension.objects.pending()
            .filter(created_at__lt=before)
            .exclude(Outbox.objects.about("trading", "booking_id"))
            .select_related("booking")
            .order_by("pk")[:BATCH]
        )
        emit(
            *(pending_event(row) for row in to_repeat),
            *map(event_builders.extension_requested, pending),
            by="marketplace",
        )
    return len(to_repeat) + len(pending)


def pending_event(booking: GPUBooking) -> Any:
    """Return the event a booking waits for an answer to."""
    return (
        event_builders.requested(booking) if booking.state == BookingState.REQUESTED else event_builders.closed(booking)
    )
