"""Telling the market what a card is: the whole of it, whenever something of it changed, never for a heartbeat."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any
from uuid import UUID

import orjson
from django.db.models import F

from aitbc.core.db import atomic
from aitbc.core.messaging import emit
from apps.gpu.events import GpuChanged
from apps.gpu.models import GPURegistry


def announce(gpu_ids: Collection[UUID]) -> int:
    """Publish these cards as they are now, in the caller's transaction; returns how many.

    A card that is still as it was last told is left out, so that anybody who may have changed one can call this.
    """
    with atomic(GPURegistry):
        cards = list(
            GPURegistry.objects.named(gpu_ids)
            .order_by("pk")
            .select_related("miner", "profile")
            .select_for_update(of=("self",))
        )
        facts = [fact for card in cards if (fact := _if_new(card)) is not None]
        emit(*facts, by="gpu")
    return len(facts)


def facts_of(card: GPURegistry) -> dict[str, Any]:
    """Everything the market searches by, of one card with its miner and profile loaded.

    Bandwidth and TFLOPS are measured ones once it has passed a benchmark, else the catalogue's (None: unknown).
    """
    profile, measured = card.profile, card.measured if card.verified else {}
    network = {**(card.details.get("network") or {}), **{k: v for k, v in measured.items() if k.endswith("_mbps")}}
    price = card.miner.price if card.price_per_hour is None else card.price_per_hour
    return {
        "gpu_id": str(card.pk),
        "miner_id": str(card.miner_id),
        "owner_id": str(card.owner_id),
        "state": card.state,
        "device": card.kind,
        "name": card.name,
        "model": profile.model if profile else "",
        "vendor": profile.vendor if profile else "",
        "architecture": profile.architecture if profile else card.architecture,
        "memory_mb": card.memory_mb,
        "bandwidth_gbps": _figure(measured, profile, "bandwidth_gbps"),
        "fp32_tflops": _figure(measured, profile, "fp32_tflops"),
        "fp16_tflops": _figure(measured, profile, "fp16_tflops"),
        "tdp_w": profile.tdp_w if profile else (card.details.get("power") or {}).get("default_w"),
        "compute_capability": (profile.compute_capability if profile else "")
        or str(card.details.get("compute_capability") or ""),
        "cuda": card.cuda,
        "driver": card.driver,
        "region": card.miner.region,
        "verified": card.verified,
        "verified_at": card.verified_at.isoformat() if card.verified_at and card.verified else None,
        "score": card.score if card.verified else None,
        "price_per_hour": price,
        "up_mbps": network.get("up_mbps"),
        "down_mbps": network.get("down_mbps"),
    }


def _figure(measured: dict[str, Any], profile: Any, name: str) -> float | None:
    value = measured.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return getattr(profile, name, None)


def _if_new(card: GPURegistry) -> GpuChanged | None:
    facts = facts_of(card)
    digest = hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()
    if digest == card.announced:
        return None
    GPURegistry.objects.filter(pk=card.pk).update(announced=digest, seq=F("seq") + 1)
    return GpuChanged(**facts, seq=card.seq + 1)
