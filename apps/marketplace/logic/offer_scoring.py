"""What an offer may say of its GPUs, and its score in a search. Pure: GPUs are facts as the gpu domain reported them.

An offer over several cards promises what the least of them keeps.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

GpuFacts = Mapping[str, Any]

#: A card in one of these states can serve a booking; booked ones can serve the next.
USABLE = frozenset({"registered", "verifying", "available", "reserved", "busy"})
#: What the score's RTX 3090 = 100 is made of: GB/s, fp32 and dense fp16 TFLOPS (data/gpu_catalogue.csv).
REFERENCE = {"bandwidth_gbps": 936.0, "fp32_tflops": 35.6, "fp16_tflops": 142.0}
MEASURED_FOR = timedelta(days=30)
CATALOGUE_SHARE = 0.8
UNVERIFIED_SHARE = 0.8
FULL_UPLOAD_MBPS, LEAST_NETWORK = 200.0, 0.25
#: Nothing known of a miner: the 5 % quantile of Beta(8, 2) (docs/prices.md).
PRIOR_RELIABILITY = 0.5708645

NUMBER = re.compile(r"\d+(?:\.\d+)?")


def of_gpus(gpus: Sequence[GpuFacts], provider_id: UUID) -> dict[str, Any]:
    """Return the search columns of an offer over these GPUs; rentable if all are usable, its owner's, and of one
    miner."""
    first = min(gpus, key=_strength)
    miners = {gpu["miner_id"] for gpu in gpus}
    return {
        "gpu_name": str(first["name"])[:120],
        "gpu_model": str(first["model"] or first["name"])[:120],
        "vendor": str(first["vendor"])[:40],
        "architecture": str(first["architecture"])[:40],
        "driver": str(first["driver"])[:40],
        "region": str(first["region"])[:64],
        "device": "cpu" if any(gpu["device"] == "cpu" for gpu in gpus) else "gpu",
        "memory_mb": min(int(gpu["memory_mb"]) for gpu in gpus),
        **{name: _least(gpus, name, _positive) for name in REFERENCE},
        **{name: _least(gpus, name, _positive) for name in ("up_mbps", "down_mbps")},
        "tdp_w": max((_positive(gpu["tdp_w"]) or 0.0 for gpu in gpus), default=0.0) or None,
        "compute_capability": _least(gpus, "compute_capability", _version),
        "cuda": _least(gpus, "cuda", _version),
        "verified": all(gpu["verified"] for gpu in gpus),
        "verified_at": _earliest(gpus),
        "benchmark": _least(gpus, "score", _positive),
        "miner_id": UUID(first["miner_id"]),
        "rentable": len(miners) == 1
        and all(gpu["state"] in USABLE and gpu["owner_id"] == str(provider_id) for gpu in gpus),
    }


def performance(offer: Any, now: datetime) -> float:
    """Return an offer's performance (RTX 3090 = 100): its benchmark while fresh, else four fifths of the
    catalogue's."""
    if offer.benchmark and offer.verified_at and now - offer.verified_at < MEASURED_FOR:
        return float(offer.benchmark)
    known = [getattr(offer, name) / of for name, of in REFERENCE.items() if getattr(offer, name)]
    if not known:
        return 0.0
    return CATALOGUE_SHARE * 100.0 * math.exp(sum(map(math.log, known)) / len(known))


def score(offer: Any, now: datetime) -> float:
    """Return S = (performance / price of one GPU in AIT) × R² × V × N, which searches sort by (docs/renters.md)."""
    network = min(1.0, max(LEAST_NETWORK, (offer.up_mbps or 0.0) / FULL_UPLOAD_MBPS))
    trust = offer.reliability**2 * (1.0 if offer.verified else UNVERIFIED_SHARE)
    return float(performance(offer, now) * 1e6 / offer.price_gpu_hour * trust * network)


def _strength(gpu: GpuFacts) -> tuple[float, float, str]:
    return int(gpu["memory_mb"]), _positive(gpu["fp16_tflops"]) or 0.0, str(gpu["gpu_id"])


def _least(gpus: Sequence[GpuFacts], name: str, read: Callable[[Any], float | None]) -> float | None:
    """The least value; None as soon as it is not known of one card."""
    values = [read(gpu[name]) for gpu in gpus]
    known = [value for value in values if value is not None]
    return min(known) if len(known) == len(values) else None


def _positive(value: Any) -> float | None:
    number = float(value) if isinstance(value, (int, float)) else 0.0
    return number if 0.0 < number < 1e12 else None


def _version(text: Any) -> float | None:
    found = NUMBER.match(str(text or ""))
    return float(found[0]) if found and len(found[0]) < 12 else None


def _earliest(gpus: Sequence[GpuFacts]) -> datetime | None:
    moments = [gpu["verified_at"] for gpu in gpus if gpu["verified_at"]]
    return min(map(datetime.fromisoformat, moments)) if len(moments) == len(gpus) else None
