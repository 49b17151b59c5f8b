"""Envelopes of the legacy lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: The predecessor's clients send this name for whatever chain they are talking to.
DEFAULT_CHAIN = "ait-devnet"


def page_of(name: str, rows: Sequence[dict[str, Any]], total: int, asked: dict[str, Any], chain: str) -> dict[str, Any]:
    """The union of two envelopes that different clients expect of the same path (spec/wire.md, part B)."""
    end = asked["offset"] + len(rows)
    return {
        name: list(rows),
        "items": list(rows),
        "limit": asked["limit"],
        "total": total,
        "next_offset": end if len(rows) == asked["limit"] and end < total else None,
        "chain_id": chain,
    }


def is_ours(chain_id: str, chain: str) -> bool:
    """Does a caller who names a chain mean this one?"""
    return chain_id in ("", DEFAULT_CHAIN, chain)
