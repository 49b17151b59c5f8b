"""Size and speed of the log."""

from __future__ import annotations

from typing import TypedDict

from aitbc.core.signatures import stamp
from apps.trading.models import Block, LogEntry
from apps.trading.services import blocks

RECENT = 100


class Speed(TypedDict):
    """Growth over the last RECENT blocks; None while they all have one time."""

    entries_per_second: float | None
    seconds_per_block: float | None


class LogStatistics(Speed):
    """The size and growth of the log; `sealed_at` is RFC 3339."""

    entries: int
    waiting: int
    blocks: int
    sealed_at: str | None
    chain_id: str


def statistics() -> LogStatistics:
    """Count the entries, the waiting ones and the blocks, and measure the growth."""
    newest = Block.objects.newest()
    waiting = LogEntry.objects.waiting().count()
    if newest is None:
        return LogStatistics(
            entries=0, waiting=waiting, blocks=0, entries_per_second=None, seconds_per_block=None, sealed_at=None,
            chain_id=blocks.origin(),
        )  # fmt: skip
    return LogStatistics(
        entries=newest.tree_size, waiting=waiting, blocks=newest.height + 1, sealed_at=stamp(newest.sealed_at),
        chain_id=blocks.origin(), **speed(newest),
    )  # fmt: skip


def speed(newest: Block) -> Speed:
    """Return entries per second and seconds per block over the last RECENT blocks; None while all have one time."""
    earlier = Block.objects.filter(height__gte=newest.height - RECENT).order_by("height")[0]
    seconds = (newest.sealed_at - earlier.sealed_at).total_seconds()
    if not seconds:
        return {"entries_per_second": None, "seconds_per_block": None}
    return {
        "entries_per_second": round((newest.tree_size - earlier.tree_size) / seconds, 3),
        "seconds_per_block": round(seconds / (newest.height - earlier.height), 3),
    }
