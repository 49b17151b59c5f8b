"""Moving cards between their states, and the words for why: what the services of cards have in common."""

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


def move(
    ids: Iterable[UUID],
    to: GpuState,
    *,
    reason: str,
    actor: str,
    sources: Collection[str] | None = None,
    **fields: Any,
) -> list[UUID]:
    """Move the cards that may move and write the reason on them; returns which. Inside the caller's transaction."""
    with atomic(GPURegistry):
        moved: list[UUID] = advance_many(GPURegistry, ids, to, actor=actor, reason=reason, sources=sources, **fields)
        told = reason if to in (GpuState.OFFLINE, GpuState.QUARANTINED, GpuState.RETIRED) else ""
        GPURegistry.objects.named(moved).update(reason=told)
    return moved


def home_of(card: GPURegistry, miner: Miner) -> tuple[GpuState, str]:
    """Where a card belongs when no booking holds it, and why."""
    if miner.state == MinerState.DEREGISTERED:
        return GpuState.OFFLINE, LEFT
    if miner.state == MinerState.OFFLINE:
        return GpuState.OFFLINE, SILENT
    if card.paused:
        return GpuState.OFFLINE, PAUSED
    if miner.state == MinerState.DRAINING:
        return GpuState.DRAINING, "its miner drains"
    if card.verified_at is not None:
        return GpuState.AVAILABLE, "verified"
    return GpuState.REGISTERED, "not verified"


def send_home(cards: Iterable[GPURegistry], miner: Miner, *, actor: str, reason: str, **fields: Any) -> list[UUID]:
    """Move cards of one miner to where they belong now; those that are there already stay."""
    moved: list[UUID] = []
    for card in cards:
        to, why = home_of(card, miner)
        said = why if to == GpuState.OFFLINE else f"{reason}; {why}"
        if card.state != to and to in GPURegistry.TRANSITIONS[card.state]:
            moved += move([card.pk], to, reason=said, actor=actor, sources=[card.state], **fields)
        elif to == GpuState.OFFLINE and card.reason != why:
            GPURegistry.objects.filter(pk=card.pk).update(reason=why, **fields)
    return moved
