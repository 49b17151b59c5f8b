"""Blocks as the explorer shows them."""

from __future__ import annotations

from typing import Any, TypedDict

from apps.trading.models import Block


class BlockRow(TypedDict):
    """A block in a list; hashes in hex, `timestamp` is RFC 3339."""

    height: int
    hash: str
    prev: str
    timestamp: str
    txCount: int
    proposer: str
    first: int
    count: int
    tree_size: int
    tree_root: str


class BlockView(BlockRow):
    """A block with all its parts: the signed header, the signature, the checkpoint, the ledger's totals."""

    block_id: str
    header: dict[str, Any]
    signature: dict[str, str]
    checkpoint: str
    ledger: dict[str, dict[str, str]]


def block_row(block: Block) -> BlockRow:
    """Present a block for a list."""
    header = block.header
    return BlockRow(
        height=header["height"], hash=block.hash, prev=header["prev"], timestamp=header["time"], txCount=block.count,
        proposer=block.signature["key_id"], first=header["first"], count=header["count"],
        tree_size=header["tree_size"], tree_root=header["tree_root"],
    )  # fmt: skip


def block_view(block: Block) -> BlockView:
    """Present a block with all its parts."""
    return BlockView(
        **block_row(block), block_id=block.hash, header=block.header, signature=block.signature,
        checkpoint=block.checkpoint, ledger=block.ledger,
    )  # fmt: skip
