"""Disputed UUIDs: when two miners report the same one, both GPUs are quarantined until one is cleared.

The database decides (UUIDs are unique outside of quarantine); this module reacts to its verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import IntegrityError

from aitbc.core.db import atomic
from apps.gpu.errors import GpuDisputed
from apps.gpu.models import GPURegistry, Miner
from apps.gpu.services.gpu_allocations import break_bookings, lock_miners, update_allocations
from apps.gpu.services.gpu_events import announce
from apps.gpu.services.gpu_transitions import LEFT, SILENT, UNNAMED, restore, transition
from apps.gpu.states import GpuState

TWO_CLAIMS = "two miners name this UUID"
MOVED = "its owner moved it to another miner"
GONE = (SILENT, UNNAMED, LEFT)


def dispute(uuid: str, miner: Miner, *, actor: str) -> bool:
    """Quarantine other miners' claims to a UUID that this miner reports now, unless the owner moved the GPU.

    Returns whether this miner's claim is doubtful too. Inside the caller's transaction.
    """
    others = GPURegistry.objects.present().filter(uuid=uuid).exclude(miner_id=miner.pk)
    lock_miners(others.values_list("miner_id", flat=True))
    doubtful = False
    for other in others.order_by("pk").select_for_update(no_key=True):
        relocated = other.owner_id == miner.owner_id and other.state == GpuState.OFFLINE and other.reason in GONE
        if relocated and other.booking_id is None:
            announce(transition([other.pk], GpuState.RETIRED, reason=MOVED, actor=actor))
            continue
        doubtful = True
        quarantine([other.pk], reason=TWO_CLAIMS, actor=actor)
    return doubtful


def quarantine(gpu_ids: Iterable[UUID], *, reason: str, actor: str) -> list[UUID]:
    """Take cards off the market until an operator or a benchmark clears them; their bookings are broken.

    Returns which changed. The caller holds their miners' locks, or changes GPUs of one miner only.
    """
    with atomic(GPURegistry):
        changed = transition(gpu_ids, GpuState.QUARANTINED, reason=reason, actor=actor)
        break_bookings(changed, "quarantined")
        announce(changed)
        update_allocations(GPURegistry.objects.named(changed).values_list("miner_id", flat=True))
    return changed


def confine(gpu: GPURegistry, *, reason: str, actor: str) -> GPURegistry:
    """Quarantine one GPU by an operator's decision and return it. Raises StateConflict where that cannot be."""
    with atomic(GPURegistry):
        lock_miners([gpu.miner_id])
        gpu.refresh_from_db()
        if not quarantine([gpu.pk], reason=reason, actor=actor):
            raise gpu.conflict(GpuState.QUARANTINED)
    gpu.refresh_from_db()
    return gpu


def release(gpu: GPURegistry, *, reason: str, actor: str) -> GPURegistry:
    """Release a GPU from quarantine and return it: an operator decided so, or it passed a benchmark.

    Raises GpuDisputed while another claim to the same UUID stands outside of quarantine, StateConflict when the GPU is
    not in quarantine.
    """
    try:
        with atomic(GPURegistry):
            (miner,) = lock_miners([gpu.miner_id])
            gpu.refresh_from_db()
            gpu.advance(GpuState.REGISTERED, actor=actor, reason=reason)
            GPURegistry.objects.filter(pk=gpu.pk).update(reason="", booking_id=None, renter_id=None)
            gpu.refresh_from_db()
            restore([gpu], miner, actor=actor, reason="released")
            announce([gpu.pk])
            update_allocations([miner.pk])
    except IntegrityError:
        raise GpuDisputed("Another miner's claim to this UUID stands; quarantine or retire that one first.") from None
    gpu.refresh_from_db()
    return gpu
