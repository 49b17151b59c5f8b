"""The market's rate for a kind of GPU: the median of what owners offer it for, one price for each owner.

An owner counts once, with its lowest rate for the kind, so that registering many miners moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple


class OwnerRate(NamedTuple):
    """The lowest rate (micro-AIT per hour) of an owner's miners with such a GPU; `gpu` None: of all its miners."""

    owner_id: str
    gpu: str | None
    memory_mb: int
    rate: int


class Kind(NamedTuple):
    """What sets the price of a requirement: the GPU by name or memory, and whether there is to be one at all."""

    gpu: str
    memory_mb: int
    needs_gpu: bool


@dataclass(frozen=True, slots=True)
class MarketRate:
    """The median rate in micro-AIT per hour, and of how many owners it is."""

    median: int
    owners: int


def kind_of(requirement: Mapping[str, Any]) -> Kind:
    """Return the kind that a job's requirement is about."""
    name, memory = str(requirement.get("gpu") or "").casefold(), int(requirement.get("min_vram_mb") or 0)
    return Kind(name, memory, bool(name or memory or requirement.get("gpu_count")))


def market_rate(rates: Iterable[OwnerRate], kind: Kind) -> MarketRate | None:
    """Return the rate over the owners that offer this kind, or over all owners when none does; None without any."""
    known = list(rates)
    lowest = _lowest(one for one in known if _is_of(kind, one)) or _lowest(one for one in known if one.gpu is None)
    return MarketRate(int(median(lowest.values())), len(lowest)) if lowest else None


def _is_of(kind: Kind, one: OwnerRate) -> bool:
    if one.gpu is None or not kind.needs_gpu:
        return one.gpu is None and not kind.needs_gpu
    return kind.gpu in ("", one.gpu.casefold()) and one.memory_mb >= kind.memory_mb


def _lowest(rates: Iterable[OwnerRate]) -> dict[str, int]:
    lowest: dict[str, int] = {}
    for one in rates:
        lowest[one.owner_id] = min(one.rate, lowest.get(one.owner_id, one.rate))
    return lowest
