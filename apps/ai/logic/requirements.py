"""What a job requires of a miner, in canonical form: equal requirements become equal dictionaries.

Continuous values are rounded onto a grid, always in the direction that never breaks the client's constraint (a price
ceiling down, a memory floor up), so that the number of requirement classes stays small.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any, NotRequired, TypedDict

MEMORY_GRID_MB = 256
REPUTATION_GRID = 10  # per mille


class Requirement(TypedDict):
    """The canonical form; None and empty mean that any miner will do."""

    task_type: str
    gpu: str | None
    gpu_count: int
    min_vram_mb: int
    models: list[str]
    region: str | None
    cuda: str | None
    max_price: int | None  # micro-AIT per hour
    min_reputation: int | None  # per mille
    data_class: str | None
    miner_id: str | None
    booking_id: NotRequired[str]  # absent, not None: adding it must not change the classes of other jobs


def requirement_of(task_type: str, constraints: Mapping[str, Any]) -> Requirement:
    """Return the canonical requirement of validated constraints.

    In the constraints max_price is micro-AIT per hour, min_vram_gb a number of GiB, min_reputation a share 0..1.
    """
    requirement: Requirement = {
        "task_type": task_type,
        "gpu": constraints.get("gpu") or None,
        "gpu_count": gpu_count(constraints),
        "min_vram_mb": memory_mb(constraints.get("min_vram_gb")),
        "models": sorted(set(constraints.get("models") or [])),
        "region": constraints.get("region") or None,
        "cuda": constraints.get("cuda") or None,
        "max_price": price_ceiling(constraints.get("max_price")),
        "min_reputation": reputation_floor(constraints.get("min_reputation")),
        "data_class": constraints.get("data_class") or None,
        "miner_id": constraints.get("miner_id") or None,
    }
    if constraints.get("booking_id"):
        requirement["booking_id"] = str(constraints["booking_id"])
    return requirement


def gpu_count(constraints: Mapping[str, Any]) -> int:
    """Return the number of GPUs: as requested, else 1 when any constraint is about a GPU, else 0."""
    needs_gpu = any(constraints.get(name) for name in ("gpu", "min_vram_gb", "cuda"))
    return int(constraints.get("gpu_count") or needs_gpu)


def memory_mb(gibibytes: Decimal | None) -> int:
    """Return GiB as MiB, rounded up to the grid of 256."""
    if not gibibytes:
        return 0
    return _rounded_up(gibibytes * 1024, MEMORY_GRID_MB)


def price_ceiling(price: int | None) -> int | None:
    """Return the price rounded down to two significant digits: at most 90 classes per power of ten."""
    if price is None:
        return None
    grid: int = 10 ** max(0, len(str(price)) - 2)
    return price // grid * grid


def reputation_floor(share: Decimal | None) -> int | None:
    """Return a share 0..1 in per mille, rounded up to the grid of 10."""
    return None if share is None else _rounded_up(share * 1000, REPUTATION_GRID)


def _rounded_up(value: Decimal, grid: int) -> int:
    return int((value / grid).to_integral_value(rounding=ROUND_CEILING)) * grid
