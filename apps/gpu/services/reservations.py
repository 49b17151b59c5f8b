"""Bookings at the miner: GPUs reserved when their time comes, reported ready, lent, freed.

The marketplace owns a booking's state and publishes it; GPUs and miners follow here. A GPU has at most one booking at a
time (U5); the next one waits until the one before has closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from aitbc.core.db import atomic, cursor, on_commit
from aitbc.core.messaging import emit
from apps.gpu.events import BookingProvisioned
from apps.gpu.models import GPURegistry, Lease, Miner, Reservation
from apps.gpu.services.gpu_allocations import break_bookings, lock_miners, update_allocations
from apps.gpu.services.gpu_events import announce
from apps.gpu.services.gpu_transitions import ON_OFFER, restore, transition
from apps.gpu.services.queue import WITHDRAWN_GRACE_SECONDS, wake_up
from apps.gpu.services.silence import METERED_MS, silence_seconds
from apps.gpu.states import BOOKED, GpuState
from apps.marketplace.events import BookingClosed, BookingReserved, BookingStarted
from apps.marketplace.interface import booking_of

ACTOR = "booking"
SOON = timedelta(seconds=1)  # two databases need not agree on the second
OVERDUE = timedelta(minutes=2)  # after this, the marketplace is queried for what should have closed
#: Booking states (of the marketplace) in which nobody uses the cards any more.
OVER = {
    "ended", "settled", "no_show", "failed_hardware", "insufficient_funds", "cancelled_renter", "cancelled_provider",
}  # fmt: skip
LOST = {GpuState.OFFLINE: "offline", GpuState.QUARANTINED: "quarantined", GpuState.RETIRED: "retired"}
# Jobs of a booking that is over are cancelled as withdrawn ones are.
STOP_JOBS = f"""UPDATE gpu_lease l SET cancel_at = clock_timestamp(),
  metered_ms = {METERED_MS.format(at="clock_timestamp()")},
  lease_until = least(lease_until, clock_timestamp() + %(grace)s::int * interval '1 second')
FROM gpu_requirementclass c
WHERE l.class_id = c.id AND l.state = 'leased' AND l.cancel_at IS NULL AND l.miner_id = ANY (%(miners)s::uuid[])
  AND c.requirement->>'booking_id' = ANY (%(bookings)s::text[]) RETURNING l.miner_id"""


def reserve(events: Sequence[BookingReserved]) -> None:
    """Record bookings of registered GPUs, and reserve the GPUs of those whose time has come."""
    rows = [
        Reservation(
            booking_id=UUID(event.booking_id),
            renter_id=UUID(event.renter_id),
            provider_id=UUID(event.provider_id),
            miner_id=UUID(event.miner_id),
            gpu_ids=[UUID(gpu) for gpu in event.gpu_ids],
            starts_at=_moment(event.starts_at),
            ends_at=_moment(event.ends_at),
        )
        for event in events
        if event.miner_id
    ]
    with atomic(Reservation):
        Reservation.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["booking_id"], update_fields=["ends_at"]
        )
        _hold(Reservation.objects.due(timezone.now() + SOON).filter(pk__in=[row.pk for row in rows]))


def start(events: Sequence[BookingStarted]) -> None:
    """Mark bookings as started and their GPUs as busy."""
    at = {UUID(event.booking_id): _moment(event.at) for event in events}
    with atomic(Reservation):
        waiting = Reservation.objects.open().filter(pk__in=at, started_at=None)
        _hold(waiting.filter(held_at=None))
        for one in waiting.locked():
            Reservation.objects.filter(pk=one.pk).update(started_at=at[one.pk], ready_at=one.ready_at or at[one.pk])
            lent = GPURegistry.objects.of_booking(one.pk).filter(state=GpuState.RESERVED)
            announce(transition(_ids(lent), GpuState.BUSY, reason=f"booking {one.pk} runs", actor=ACTOR))
            update_allocations([one.miner_id])


def close(events: Sequence[BookingClosed]) -> None:
    """Close bookings: free their GPUs, cancel their jobs, and reserve for those that wait."""
    over = [UUID(event.booking_id) for event in events if event.miner_id]
    with atomic(Reservation):
        for one in Reservation.objects.open().filter(pk__in=over).locked():
            _close(one)


def ready(*, miner_id: UUID, booking_ids: Iterable[UUID]) -> list[UUID]:
    """Record that the GPUs of these bookings are ready, and publish it once; returns the new ones."""
    now = timezone.now()
    with atomic(Reservation):
        held = Reservation.objects.held().of_miner(miner_id).filter(pk__in=list(booking_ids), ready_at=None)
        ready_ids = [one.pk for one in held.locked()]
        Reservation.objects.filter(pk__in=ready_ids).update(ready_at=now)
        emit(
            *(
                BookingProvisioned(booking_id=str(booking), miner_id=str(miner_id), at=now.isoformat())
                for booking in ready_ids
            ),
            by="gpu",
        )
        if ready_ids:
            update_allocations([miner_id])
    return ready_ids


def hold_due(*, limit: int = 200) -> int:
    """Reserve the GPUs of bookings whose time has come; returns of how many."""
    due = Reservation.objects.due(timezone.now()).order_by("starts_at", "pk")[:limit]
    with atomic(Reservation):
        return _hold(Reservation.objects.filter(pk__in=[one.pk for one in due]))


def close_forgotten(*, limit: int = 100) -> int:
    """Close bookings that are over according to the marketplace although no fact arrived; returns how many.

    One that runs on takes its later end from there, so that it is not looked at again before then.
    """
    closed = 0
    late = Reservation.objects.open().filter(ends_at__lt=timezone.now() - OVERDUE).order_by("ends_at", "pk")
    for booking_id in list(late.values_list("pk", flat=True)[:limit]):
        seen = booking_of(booking_id)
        if seen is not None and seen.state not in OVER:
            _prolong(booking_id, seen.ends_at)
            continue
        with atomic(Reservation):
            for one in Reservation.objects.open().filter(pk=booking_id).locked():
                _close(one)
                closed += 1
    return closed


def _prolong(booking_id: UUID, ends_at: datetime) -> None:
    with atomic(Reservation):
        for one in Reservation.objects.open().filter(pk=booking_id, ends_at__lt=ends_at).locked():
            Reservation.objects.filter(pk=one.pk).update(ends_at=ends_at)
            update_allocations([one.miner_id])


def _hold(waiting: Iterable[Reservation]) -> int:
    """Reserve the GPUs that are free for these bookings; inside the caller's transaction."""
    candidates = list(waiting)
    lock_miners(one.miner_id for one in candidates)
    held = 0
    for one in Reservation.objects.filter(pk__in=[one.pk for one in candidates], held_at=None, closed_at=None).locked():
        if Reservation.objects.held().filter(gpu_ids__overlap=one.gpu_ids).exists():
            continue  # the booking before it has not closed yet
        _set_aside(one, list(GPURegistry.objects.named(one.gpu_ids).of_miner(one.miner_id).locked()))
        held += 1
    return held


def _set_aside(one: Reservation, gpus: list[GPURegistry]) -> None:
    Reservation.objects.filter(pk=one.pk).update(held_at=timezone.now())
    mine: dict[str, Any] = {"booking_id": one.pk, "renter_id": one.renter_id}
    free = [gpu.pk for gpu in gpus if gpu.state in ON_OFFER]
    announce(transition(free, GpuState.RESERVED, reason=f"booking {one.pk}", actor=ACTOR, **mine))
    lost = [gpu for gpu in gpus if gpu.pk not in free]
    for gpu in lost:
        if gpu.state == GpuState.OFFLINE:  # when it comes back in time, it comes back to this booking
            GPURegistry.objects.filter(pk=gpu.pk).update(**mine)
    if lost:
        break_bookings([gpu.pk for gpu in lost], LOST.get(GpuState(lost[0].state), "offline"))
    update_allocations([one.miner_id])


def _close(one: Reservation) -> None:
    (miner,) = lock_miners([one.miner_id]) or (None,)
    Reservation.objects.filter(pk=one.pk).update(closed_at=timezone.now())
    own = GPURegistry.objects.of_booking(one.pk).locked()
    if miner is not None:
        _free(own, miner, one.pk)
        _stop_jobs(one)
        update_allocations([miner.pk])
        _hold(Reservation.objects.due(timezone.now() + SOON).filter(gpu_ids__overlap=one.gpu_ids))


def _free(gpus: Iterable[GPURegistry], miner: Miner, booking_id: UUID) -> None:
    """GPUs go to their own states; one that is offline loses the booking and stays offline."""
    freed = []
    for gpu in gpus:
        nobody: dict[str, Any] = {"booking_id": None, "renter_id": None}
        if gpu.state in BOOKED:
            freed += restore([gpu], miner, actor=ACTOR, reason=f"booking {booking_id} is over", **nobody)
        else:
            GPURegistry.objects.filter(pk=gpu.pk).update(**nobody)
    announce(freed)


def _stop_jobs(one: Reservation) -> None:
    with cursor(Lease) as sql:
        grace = WITHDRAWN_GRACE_SECONDS
        values = {"grace": grace, "silence": silence_seconds(), "miners": [one.miner_id], "bookings": [str(one.pk)]}
        sql.execute(STOP_JOBS, values)
        stopped = {f"miner:{miner_id}" for (miner_id,) in sql.fetchall()}
    if stopped:
        on_commit(Lease, lambda: wake_up(stopped))


def _ids(gpus: Iterable[GPURegistry]) -> list[UUID]:
    return [gpu.pk for gpu in gpus]


def _moment(text: str) -> datetime:
    moment = parse_datetime(text)
    if moment is None:
        raise ValueError(f"not a time: {text!r}")
    return moment
