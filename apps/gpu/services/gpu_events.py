"""GpuChanged facts made from rows: the whole GPU whenever something of it changed, never for a heartbeat."""

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
    """Publish these GPUs as they are now, in the caller's transaction; returns how many.

    A GPU that equals its last published fact is left out, so that every service may call this.
    """
    with atomic(GPURegistry):
        gpus = list(
            GPURegistry.objects.named(gpu_ids)
            .order_by("pk")
            .select_related("miner", "profile")
            .select_for_update(of=("self",))
        )
        facts = [fact for gpu in gpus if (fact := _if_new(gpu)) is not None]
        emit(*facts, by="gpu")
    return len(facts)


def facts_of(gpu: GPURegistry) -> dict[str, Any]:
    """Return the fields of GpuChanged (without seq) for one GPU with its miner and profile loaded.

    Bandwidth and TFLOPS are measured ones once it has passed a benchmark, else the catalogue's (None: unknown).
    """
    profile, measured = gpu.profile, gpu.measured if gpu.verified else {}
    network = {**(gpu.details.get("network") or {}), **{k: v for k, v in measured.items() if k.endswith("_mbps")}}
    price = gpu.miner.price if gpu.price_per_hour is None else gpu.price_per_hour
    return {
        "gpu_id": str(gpu.pk),
        "miner_id": str(gpu.miner_id),
        "owner_id": str(gpu.owner_id),
        "state": gpu.state,
        "device": gpu.kind,
        "name": gpu.name,
        "model": profile.model if profile else "",
        "vendor": profile.vendor if profile else "",
        "architecture": profile.architecture if profile else gpu.architecture,
        "memory_mb": gpu.memory_mb,
        "bandwidth_gbps": _measurement(measured, profile, "bandwidth_gbps"),
        "fp32_tflops": _measurement(measured, profile, "fp32_tflops"),
        "fp16_tflops": _measurement(measured, profile, "fp16_tflops"),
        "tdp_w": profile.tdp_w if profile else (gpu.details.get("power") or {}).get("default_w"),
        "compute_capability": (profile.compute_capability if profile else "")
        or str(gpu.details.get("compute_capability") or ""),
        "cuda": gpu.cuda,
        "driver": gpu.driver,
        "region": gpu.miner.region,
        "verified": gpu.verified,
        "verified_at": gpu.verified_at.isoformat() if gpu.verified_at and gpu.verified else None,
        "score": gpu.score if gpu.verified else None,
        "price_per_hour": price,
        "up_mbps": network.get("up_mbps"),
        "down_mbps": network.get("down_mbps"),
    }


def _measurement(measured: dict[str, Any], profile: Any, name: str) -> float | None:
    value = measured.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return getattr(profile, name, None)


def _if_new(gpu: GPURegistry) -> GpuChanged | None:
    facts = facts_of(gpu)
    digest = hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()
    if digest == gpu.announced:
        return None
    GPURegistry.objects.filter(pk=gpu.pk).update(announced=digest, seq=F("seq") + 1)
    return GpuChanged(**facts, seq=gpu.seq + 1)
