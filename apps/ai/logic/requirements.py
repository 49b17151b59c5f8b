"""What a job needs of a miner, in canonical form: equal needs become equal dictionaries.

Continuous values are rounded onto a grid, always to the side that keeps the client's word
(a price ceiling down, a memory floor up), so that the number of requirement classes stays small.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

MEMORY_GRID_MB = 256
REPUTATION_GRID = 10  # per mille


def requirement_of(task_type: str, constraints: Mapping[str, Any]) -> dict[str, Any]:
    """Return the canonical requirement; every key but booking_id is always present.

    max_price is micro-AIT per hour, min_vram_gb a number of GiB, min_reputation a share 0..1.
    """
    return {
        "task_type": task_type,
        "gpu": constraints.get("gpu") or None,
        "gpu_count": cards(constraints),
        "min_vram_mb": memory_mb(constraints.get("min_vram_gb")),
        "models": sorted(set(constraints.get("models") or [])),
        "region": constraints.get("region") or None,
        "cuda": constraints.get("cuda") or None,
        "max_price": ceiling_of(constraints.get("max_price")),
        "min_reputation": reputation(constraints.get("min_reputation")),
        "data_class": constraints.get("data_class") or None,
        "miner_id": constraints.get("miner_id") or None,
        **_booking(constraints),
    }


def _booking(constraints: Mapping[str, Any]) -> dict[str, str]:
    """Only where a booking is named: other jobs' requirements stay what they were."""
    return {"booking_id": str(constraints["booking_id"])} if constraints.get("booking_id") else {}


def cards(constraints: Mapping[str, Any]) -> int:
    """How many graphics cards: as asked; one when the job asks anything of a card; else none."""
    asks = any(constraints.get(name) for name in ("gpu", "min_vram_gb", "cuda"))
    return constraints.get("gpu_count") or int(asks)


def memory_mb(gigabytes: Decimal | None) -> int:
    """GiB to MiB, up to the next step of the grid."""
    if not gigabytes:
        return 0
    return _steps_up(gigabytes * 1024, MEMORY_GRID_MB)


def ceiling_of(price: int | None) -> int | None:
    """A price ceiling rounded down to two significant digits: 90 classes per power of ten at most."""
    if price is None:
        return None
    step = 10 ** max(0, len(str(price)) - 2)
    return price // step * step


def reputation(share: Decimal | None) -> int | None:
    """A reputation floor in per mille, up to the next step of the grid."""
    return None if share is None else _steps_up(share * 1000, REPUTATION_GRID)


def _steps_up(value: Decimal, step: int) -> int:
    return int((value / step).to_integral_value(rounding=ROUND_CEILING)) * step
