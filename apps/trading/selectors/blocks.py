"""Blocks as the explorer shows them."""

from __future__ import annotations

from typing import Any

from apps.trading.models import Block


def block_row(block: Block) -> dict[str, Any]:
    """A block in a list, as BlockRowSerializer describes it."""
    return {
        **{name: block.header[name] for name in ("height", "prev", "first", "count", "tree_size", "tree_root")},
        "hash": block.hash,
        "timestamp": block.header["time"],
        "txCount": block.count,
        "proposer": block.signature["key_id"],
    }


def block_view(block: Block) -> dict[str, Any]:
    """A block with all its parts, as BlockSerializer describes it."""
    whole = {name: getattr(block, name) for name in ("header", "signature", "checkpoint", "ledger")}
    return {**block_row(block), "block_id": block.hash, **whole}
