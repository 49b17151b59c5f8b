"""Transitions of GPUs between their states, and the reasons that are stored with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from aitbc.core.db import atomic
from aitbc.core.states import advance_many
from apps.gpu.models import GPURegistry, Miner
from apps.gpu.states import GpuState, MinerState

# Why a card is offline. From silence it comes back by itself, when it is named again also from the next two.
SILENT = "its miner is not heard"
UNNAMED = "its miner no longer names it"
LEFT = "its miner left"
PAUSED = "its owner took it off the market"
ON_OFFER = (GpuState.REGISTERED, GpuState.VERIFYING, GpuState.AVAILABLE)
PRESENT = (*ON_OFFER, GpuState.RESERVED, GpuState.BUSY, GpuState.DRAINING)
#: Cards registered by hand, which no miner has reported (yet), stand behind every place of a miner's list.
BY_HAND = 1000


def transition(
    ids: Iterable[UUID],
    to: GpuState,
    *,
    reason: str,
    actor: str,
    sources: Collection[str] | None = None,
    **fields: Any,
) -> list[UUID]:
    """Change these GPUs to a state, where it is allowed, and store the reason; returns which changed.

    Inside the caller's transaction; `sources` limits the states that they may come from, `fields` are more columns.
    """
    with atomic(GPURegistry):
        changed: list[UUID] = advance_many(GPURegistry, ids, to, actor=actor, reason=reason, sources=sources, **fields)
        shown = reason if to in (GpuState.OFFLINE, GpuState.QUARANTINED, GpuState.RETIRED) else ""
        GPURegistry.objects.named(changed).update(reason=shown)
    return changed


def own_state(gpu: GPURegistry, miner: Miner) -> tuple[GpuState, str]:
    """Return the state of a GPU that no booking holds, and the reason."""
    if miner.state == MinerState.DEREGISTERED:
        return GpuState.OFFLINE, LEFT
    if miner.state == MinerState.OFFLINE:
        return GpuState.OFFLINE, SILENT
    if gpu.paused:
        return GpuState.OFFLINE, PAUSED
    if miner.state == MinerState.DRAINING:
        return GpuState.DRAINING, "its miner drains"
    if gpu.verified_at is not None:
        return GpuState.AVAILABLE, "verified"
    return GpuState.REGISTERED, "not verified"


def restore(gpus: Iterable[GPURegistry], miner: Miner, *, actor: str, reason: str, **fields: Any) -> list[UUID]:
    """Change GPUs of one miner to their own states (`own_state`); returns which changed."""
    changed: list[UUID] = []
    for gpu in gpus:
        to, why = own_state(gpu, miner)
        text = why if to == GpuState.OFFLINE else f"{reason}; {why}"
        if gpu.state != to and to in GPURegistry.TRANSITIONS[gpu.state]:
            changed += transition([gpu.pk], to, reason=text, actor=actor, sources=[gpu.state], **fields)
        elif to == GpuState.OFFLINE and gpu.reason != why:
            GPURegistry.objects.filter(pk=gpu.pk).update(reason=why, **fields)
    return changed
