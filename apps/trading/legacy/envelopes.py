"""The envelope of the legacy lists of blocks and receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: Legacy clients send this name for whatever chain they are talking to.
DEFAULT_CHAIN = "ait-devnet"


def envelope(
    name: str, rows: Sequence[Mapping[str, Any]], total: int, query: dict[str, Any], chain: str
) -> dict[str, Any]:
    """Rows under `name` and again under `items`: two families of clients read different members of one path."""
    end = query["offset"] + len(rows)
    return {
        name: list(rows),
        "items": list(rows),
        "limit": query["limit"],
        "total": total,
        "next_offset": end if len(rows) == query["limit"] and end < total else None,
        "chain_id": chain,
    }


def is_this_chain(chain_id: str, chain: str) -> bool:
    """Return whether the chain that a caller names is this one."""
    return chain_id in ("", DEFAULT_CHAIN, chain)
