"""Telling the market what a card is: the whole of it, whenever something of it changed."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from aitbc.core.db import atomic
from aitbc.core.messaging import emit
from apps.gpu.events import GpuChanged
from apps.gpu.models import GPURegistry


def announce(gpu_ids: Collection[UUID]) -> int:
    """Publish these cards as they are now, in the caller's transaction; returns how many."""
    with atomic(GPURegistry):
        cards = list(GPURegistry.objects.named(gpu_ids).order_by("pk").select_related("miner", "profile"))
        emit(*(_fact(card) for card in cards), by="gpu")
    return len(cards)


def _fact(card: GPURegistry) -> GpuChanged:
    profile, measured = card.profile, card.measured if card.verified else {}
    figures = {
        name: measured.get(name) or (getattr(profile, name) if profile else None)
        for name in ("bandwidth_gbps", "fp32_tflops", "fp16_tflops")
    }
    return GpuChanged(
        gpu_id=str(card.pk), miner_id=str(card.miner_id), owner_id=str(card.owner_id), seq=card.version,
        state=card.state, device=card.kind, name=card.name, model=profile.model if profile else "",
        vendor=profile.vendor if profile else "", architecture=profile.architecture if profile else card.architecture,
        memory_mb=card.memory_mb, tdp_w=profile.tdp_w if profile else None,
        compute_capability=profile.compute_capability if profile else "", cuda=card.cuda, driver=card.driver,
        region=card.miner.region, verified=card.verified,
        verified_at=card.verified_at.isoformat() if card.verified_at else None, score=card.score,
        price_per_hour=card.price_per_hour, up_mbps=None, down_mbps=None, **figures,
    )  # fmt: skip
