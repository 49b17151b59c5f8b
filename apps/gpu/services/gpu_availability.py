"""GPUs follow their miner: offline with it, back with it, off the market while it drains."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from aitbc.core.db import atomic
from apps.gpu.models import GPURegistry, Miner, Reservation
from apps.gpu.services.gpu_allocations import break_bookings, lock_miners, update_allocations
from apps.gpu.services.gpu_events import announce
from apps.gpu.services.gpu_transitions import LEFT, ON_OFFER, PRESENT, SILENT, restore, transition
from apps.gpu.states import BOOKED, GpuState, MinerState

CAUSES = {LEFT: "deregistered"}


def take_offline(gpu_ids: Iterable[UUID], *, reason: str, actor: str) -> list[UUID]:
    """Take GPUs offline and publish their running bookings as broken; returns the ids of those that changed.

    The caller has locked their miners' rows (`lock_miners`).
    """
    changed = transition(gpu_ids, GpuState.OFFLINE, reason=reason, actor=actor, sources=PRESENT)
    break_bookings(changed, CAUSES.get(reason, "offline"))
    announce(changed)
    return changed


def follow_miners(miner_ids: Iterable[UUID], *, actor: str) -> None:
    """Change the GPUs of these miners to the states that follow from their miners' states."""
    with atomic(Miner):
        for miner in lock_miners(miner_ids):
            if miner.state in (MinerState.OFFLINE, MinerState.DEREGISTERED):
                reason = LEFT if miner.state == MinerState.DEREGISTERED else SILENT
                take_offline(_ids(miner, PRESENT), reason=reason, actor=actor)
            elif miner.state == MinerState.DRAINING:
                announce(transition(_ids(miner, ON_OFFER), GpuState.DRAINING, reason="its miner drains", actor=actor))
            else:
                _regain(miner, actor=actor)
            update_allocations([miner.pk])


def take_back(gpus: Iterable[GPURegistry], miner: Miner, *, actor: str, reason: str) -> list[UUID]:
    """Bring GPUs back, to their booking if it still runs, else to their own state; returns the ids of the changed ones.

    The caller has locked the miner's row. Nothing is published: the caller announces them.
    """
    changed: list[UUID] = []
    for gpu in gpus:
        held = Reservation.objects.held().filter(pk=gpu.booking_id).first() if gpu.booking_id else None
        if held is None:
            changed += restore([gpu], miner, actor=actor, reason=reason, booking_id=None, renter_id=None)
        else:
            to = GpuState.BUSY if held.started_at else GpuState.RESERVED
            changed += transition([gpu.pk], to, reason=f"{reason}; booked", actor=actor, sources=[GpuState.OFFLINE])
            _mend(held)
    return changed


def _mend(held: Reservation) -> None:
    """Clear `broken_at` of a booking whose GPUs are all back: another loss is then published again."""
    if not GPURegistry.objects.named(held.gpu_ids).exclude(state__in=BOOKED).exists():
        Reservation.objects.filter(pk=held.pk).update(broken_at=None)


def repair(*, limit: int = 1000) -> int:
    """Repair GPUs that are out of step with their miner's state, locking the miners; returns the number of miners."""
    gpus = GPURegistry.objects.filter(
        Q(miner__state__in=[MinerState.OFFLINE, MinerState.DEREGISTERED], state__in=PRESENT)
        | Q(miner__state=MinerState.ONLINE, state=GpuState.OFFLINE, reason=SILENT)
    )
    astray = set(gpus.values_list("miner_id", flat=True)[:limit])
    if astray:
        follow_miners(astray, actor="sweep")
    return len(astray)


def _regain(miner: Miner, *, actor: str) -> None:
    away = miner.gpus.filter(state=GpuState.OFFLINE, reason=SILENT) | miner.gpus.filter(state=GpuState.DRAINING)
    announce(take_back(away.order_by("pk"), miner, actor=actor, reason="its miner is back"))


def _ids(miner: Miner, states: Iterable[str]) -> list[UUID]:
    return list(miner.gpus.filter(state__in=list(states)).values_list("pk", flat=True))
