"""From paid to running: a booking's time comes, the provider makes it ready, the meter starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import DateTimeField, F, Value
from django.db.models.functions import Least

from aitbc.core import params
from aitbc.core.db import atomic
from aitbc.core.messaging import emit
from aitbc.core.states import advance_many
from apps.marketplace.logic.durations import whole_ms
from apps.marketplace.models import GPUBooking
from apps.marketplace.selectors import clock
from apps.marketplace.services import event_builders, metering, prices, slots
from apps.marketplace.services.booking_endings import Ending, finish
from apps.marketplace.states import RUNNING, BookingState

if TYPE_CHECKING:
    from apps.gpu.events import BookingBroken, BookingProvisioned

ACTOR = "system:bookings"
#: A miner that is only silent may come back before a booking starts; if not, nobody shows.
SILENT = "offline"


def start(bookings: Sequence[GPUBooking], *, now: datetime, actor: str = ACTOR) -> None:
    """Start reserved bookings (locked) whose time has come: provisioning, or active where the provider was ready
    before."""
    ready = [booking for booking in bookings if booking.ready_at is not None]
    waiting = [booking for booking in bookings if booking.ready_at is None]
    patience = Value(now + timedelta(seconds=params.get("market.t_prov_s")), output_field=DateTimeField())
    advance_many(
        GPUBooking, [booking.pk for booking in waiting], BookingState.PROVISIONING, actor=actor,
        reason="its time has come", provision_by=Least(F("ends_at"), patience),
    )  # fmt: skip
    activate(ready, now=now, actor=actor)
    slots.show_occupancy({booking.offer_id for booking in bookings}, now=now, actor=actor)


def activate(bookings: Sequence[GPUBooking], *, now: datetime, actor: str) -> None:
    """Start the meters of these (locked) bookings and record their prices."""
    if not bookings:
        return
    ids = [booking.pk for booking in bookings]
    advance_many(GPUBooking, ids, BookingState.ACTIVE, actor=actor, reason="ready", activated_at=now)
    for booking in bookings:
        booking.state, booking.version, booking.activated_at = BookingState.ACTIVE, booking.version + 1, now
    prices.record_trades(bookings)
    emit(*(event_builders.started(booking) for booking in bookings), by="marketplace")


def ready(*, booking: GPUBooking, actor: str, now: datetime | None = None) -> GPUBooking:
    """Note that a booking's GPUs are ready, activate it if its time has come, and return it; repeating changes nothing.

    Raises StateConflict.
    """
    now = now or clock.now()
    with atomic(GPUBooking):
        row = GPUBooking.objects.locked().get(pk=booking.pk)
        if row.state in RUNNING or (row.state == BookingState.RESERVED and row.ready_at):
            return row
        if BookingState.ACTIVE not in row.TRANSITIONS[row.state]:
            raise row.conflict(BookingState.ACTIVE)
        note_ready([row], now=now, actor=actor)
    return row


def note_ready(bookings: Sequence[GPUBooking], *, now: datetime, actor: str) -> None:
    """Activate those (locked) whose time has come; remember it for the others, which are reserved."""
    for booking in bookings:
        booking.ready_at = booking.ready_at or now
    GPUBooking.objects.bulk_update(bookings, ["ready_at"])
    due = [booking for booking in bookings if booking.starts_at <= now < booking.ends_at]
    activate(due, now=now, actor=actor)
    slots.show_occupancy({booking.offer_id for booking in due}, now=now, actor=actor)


def note_provisioned(events: Sequence[BookingProvisioned]) -> None:
    """Note that miners have made booked GPUs ready; ignored for a booking that does not wait for it."""
    miners = {UUID(event.booking_id): UUID(event.miner_id) for event in events}
    now = clock.now()
    with atomic(GPUBooking):
        rows = [b for b in waiting_for_gpus(miners) if b.miner_id == miners[b.pk]]
        note_ready(rows, now=now, actor="system:gpu")


def waiting_for_gpus(ids: Iterable[UUID]) -> list[GPUBooking]:
    """Return those of these bookings that are not active yet, locked."""
    states = [BookingState.RESERVED, BookingState.PROVISIONING]
    rows = GPUBooking.objects.filter(pk__in=list(ids)).locked()
    return [booking for booking in rows if booking.state in states]


def note_broken(events: Sequence[BookingBroken]) -> None:
    """End running bookings whose GPU is gone; a booking that waits loses its GPUs only for good."""
    by_booking = {UUID(event.booking_id): event for event in events}
    now = clock.now()
    with atomic(GPUBooking):
        rows = list(GPUBooking.objects.filter(pk__in=list(by_booking)).locked())
        endings = [
            Ending(booking=row, at=broken_at(row, by_booking[row.pk], now))
            for row in rows
            if ends_booking(row, by_booking[row.pk])
        ]
        finish(endings, BookingState.FAILED_HARDWARE, actor="system:gpu", reason="a booked card is gone")


def ends_booking(booking: GPUBooking, event: BookingBroken) -> bool:
    """Return whether this event ends the booking."""
    if BookingState.FAILED_HARDWARE not in booking.TRANSITIONS[booking.state]:
        return False
    return booking.state in RUNNING or event.reason != SILENT


def broken_at(booking: GPUBooking, event: BookingBroken, now: datetime) -> datetime:
    """Return when the GPU was gone as gpu reports it, but not before what is metered already and not after now."""
    moment = min(whole_ms(datetime.fromisoformat(event.at)), now)
    if booking.activated_at is None:
        return moment
    return min(max(moment, metering.moment_of(booking, booking.metered_ms)), booking.ends_at)
