"""The registry of cards: kept in step with what miners report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from django.utils import timezone

from aitbc.core.states import advance_many, begin
from apps.gpu.capabilities import Gpu
from apps.gpu.models import GPURegistry, Miner
from apps.gpu.states import GpuState


def keep_in_step(miner: Miner, cards: Sequence[Gpu], *, actor: str) -> None:
    """Write what a miner says its cards are, in the caller's transaction; a card it no longer names goes offline.

    A card is the same one when its UUID is; old clients send none, for them its place in the list decides.
    """
    known = list(GPURegistry.objects.present().of_miner(miner.pk).locked())
    by_uuid = {card.uuid: card for card in known if card.uuid}
    by_place = {card.position: card for card in known if not card.uuid}
    kept = set()
    for position, told in enumerate(cards):
        row = by_uuid.get(told.uuid) if told.uuid else by_place.get(position)
        if row is None:
            begin(_new(miner, position, told), actor=actor, reason="reported by its miner")
            continue
        kept.add(row.pk)
        facts = asdict(told) | {"position": position, "seen_at": timezone.now()}
        GPURegistry.objects.filter(pk=row.pk).update(**facts)
    gone = [row.pk for row in known if row.pk not in kept]
    advance_many(GPURegistry, gone, GpuState.OFFLINE, actor=actor, reason="its miner no longer names it")


def _new(miner: Miner, position: int, told: Gpu) -> GPURegistry:
    return GPURegistry(miner=miner, owner_id=miner.owner_id, position=position, **asdict(told))
