"""Size and speed of the log."""

from __future__ import annotations

from typing import Any

from apps.trading.models import Block, LogEntry
from apps.trading.services import blocks

RECENT = 100


def statistics() -> dict[str, Any]:
    """The size and growth of the log, as StatsSerializer describes them."""
    newest = Block.objects.newest()
    waiting = LogEntry.objects.waiting().count()
    if newest is None:
        nothing = {"entries_per_second": None, "seconds_per_block": None, "sealed_at": None}
        return {"entries": 0, "waiting": waiting, "blocks": 0, **nothing, "chain_id": blocks.origin()}
    return {
        "entries": newest.tree_size,
        "waiting": waiting,
        "blocks": newest.height + 1,
        **speed(newest),
        "sealed_at": newest.header["time"],
        "chain_id": blocks.origin(newest),
    }


def speed(newest: Block) -> dict[str, float | None]:
    """Entries per second and seconds per block over the last RECENT blocks; None while all have one time."""
    earlier = Block.objects.get(height=max(0, newest.height - RECENT))
    seconds = (newest.sealed_at - earlier.sealed_at).total_seconds()
    if not seconds:
        return {"entries_per_second": None, "seconds_per_block": None}
    return {
        "entries_per_second": round((newest.tree_size - earlier.tree_size) / seconds, 3),
        "seconds_per_block": round(seconds / (newest.height - earlier.height), 3),
    }
