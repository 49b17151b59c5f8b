"""Receipts as the explorer shows them, and the bundle that proves one offline."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from aitbc.core import params, signing
from apps.trading.errors import NotSealed
from apps.trading.logic import merkle
from apps.trading.models import Block, LogEntry, Receipt
from apps.trading.services.merkle_store import TreeReader, leaf_hashes
from apps.trading.services.receipts import signed

#: Every receipt is of a job that was done.
STATUS = "completed"


def receipt_row(receipt: Receipt, chain: str) -> dict[str, Any]:
    """A receipt as ReceiptRowSerializer describes it; `chain` is the log's name."""
    return {
        "receipt_id": str(receipt.pk),
        "receiptId": str(receipt.pk),
        "job_id": receipt.body["job"],
        "jobId": receipt.body["job"],
        "miner": receipt.body["miner"],
        "coordinator": chain,
        "issuedAt": receipt.body["issued"],
        "status": STATUS,
        "payload": receipt.body,
        "signature": receipt.signature,
        "tx_hash": receipt.leaf,
    }


def bundle(receipt: Receipt) -> dict[str, Any]:
    """All that is needed to check a receipt offline, as BundleSerializer describes it (docs/receipts.md).

    It proves the receipt in the block that sealed it and never changes afterwards. Raises NotSealed until then.
    """
    entry = LogEntry.objects.get(leaf_hash=receipt.leaf)
    block, idx = sealing(entry)
    previous = Block.objects.filter(height=block.height - 1).first()
    node = TreeReader(*merkle.inclusion_ranges(idx, block.tree_size))
    return {
        "v": 1,
        **signed(receipt),
        "entry": base64.b64encode(bytes(entry.leaf)).decode(),
        "index": idx,
        "inclusion": hexes(merkle.inclusion_proof(idx, block.tree_size, node)),
        "checkpoint": block.checkpoint,
        "block": {"header": block.header, "signature": block.signature, "inclusion": within(block, idx)},
        "previous": previous.header if previous else None,
        "keys": [key_of(key_id) for key_id in sorted({receipt.signature["key_id"], block.signature["key_id"]})],
    }


def sealing(entry: LogEntry) -> tuple[Block, int]:
    """The block that sealed an entry, and the entry's index in the log. Raises NotSealed when there is none yet."""
    if entry.idx is None:
        raise not_sealed()
    return Block.objects.sealing(entry.idx), entry.idx


def not_sealed() -> NotSealed:
    """The error for an entry that still waits, with the seconds until its block in Retry-After and `eta_seconds`."""
    seconds = params.get("log.seal_interval_s")
    detail = f"It will be in a signed block within about {seconds} s."
    return NotSealed(detail, retry_after=seconds, eta_seconds=seconds)


def within(block: Block, idx: int) -> list[str]:
    """The inclusion proof of an entry in the tree over the entries of its block alone, in hex."""
    hashes = leaf_hashes(block.first, block.end)
    return hexes(merkle.inclusion_proof(idx - block.first, block.count, merkle.nodes_of(hashes)))


def hexes(proof: Sequence[bytes]) -> list[str]:
    """Digests in hex."""
    return [value.hex() for value in proof]


def key_of(key_id: str) -> dict[str, Any]:
    """The published form of a signing key. Raises LookupError."""
    key = signing.find(key_id)
    if key is None:
        raise LookupError(f"the key ring lacks the key {key_id}")
    return key.published()
