"""Receipts as the explorer shows them, and the bundle that proves one offline."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

from aitbc.core import params, signing
from apps.trading.errors import NotSealed
from apps.trading.logic import merkle
from apps.trading.logic.commitments import Opening
from apps.trading.logic.settlement import COMPLETED
from apps.trading.models import Block, LogEntry, Receipt
from apps.trading.services.merkle_store import TreeReader, leaf_hashes

#: Of a slice of a booking.
SLICE = "slice"


class ReceiptRow(TypedDict):
    """A receipt in the explorer; `payload` is the signed body, the camel-case names are those of legacy clients.

    `status` is the job's outcome, or `slice`, which has no job and no miner.
    """

    receipt_id: str
    receiptId: str
    job_id: str | None
    jobId: str | None
    miner: str | None
    coordinator: str
    issuedAt: str
    status: str
    payload: dict[str, Any]
    signature: dict[str, str]
    tx_hash: str


class SealingBlock(TypedDict):
    """The block that sealed a receipt, and the inclusion proof in that block alone."""

    header: dict[str, Any]
    signature: dict[str, str]
    inclusion: list[str]


class Bundle(TypedDict):
    """All that verify_receipt.py needs: `entry` is base64, `inclusion` hex digests from the leaf up."""

    v: int
    receipt: dict[str, Any]
    signature: dict[str, str]
    entry: str
    index: int
    inclusion: list[str]
    checkpoint: str
    block: SealingBlock
    previous: dict[str, Any] | None
    keys: list[dict[str, Any]]
    opening: NotRequired[Opening]


def receipt_row(receipt: Receipt, chain: str) -> ReceiptRow:
    """Present a receipt for the explorer; `chain` is the log's name."""
    return {
        "receipt_id": str(receipt.pk),
        "receiptId": str(receipt.pk),
        "job_id": receipt.body.get("job"),
        "jobId": receipt.body.get("job"),
        "miner": receipt.body.get("miner"),
        "coordinator": chain,
        "issuedAt": receipt.body["issued"],
        "status": status_of(receipt),
        "payload": receipt.body,
        "signature": receipt.signature,
        "tx_hash": receipt.leaf,
    }


def status_of(receipt: Receipt) -> str:
    """Return how the job of a receipt ended, or `slice`."""
    return str(receipt.body.get("outcome", COMPLETED)) if receipt.job_id else SLICE


def bundle(receipt: Receipt, *, opened: bool = False) -> Bundle:
    """Collect all that is needed to check a receipt offline (docs/receipts.md); `opened`: also its owner's opening.

    It proves the receipt in the block that sealed it and never changes afterwards. Raises NotSealed until then.
    """
    found = public_bundle(receipt)
    if opened and receipt.opening:
        found["opening"] = receipt.opening
    return found


def public_bundle(receipt: Receipt) -> Bundle:
    """Collect what anybody gets. Raises NotSealed."""
    entry = LogEntry.objects.get(leaf_hash=receipt.leaf)
    block, idx = sealing(entry)
    previous = Block.objects.filter(height=block.height - 1).first()
    node = TreeReader(*merkle.inclusion_ranges(idx, block.tree_size))
    return {
        "v": 1,
        "receipt": receipt.body,
        "signature": receipt.signature,
        "entry": base64.b64encode(bytes(entry.leaf)).decode(),
        "index": idx,
        "inclusion": hexes(merkle.inclusion_proof(idx, block.tree_size, node)),
        "checkpoint": block.checkpoint,
        "block": {"header": block.header, "signature": block.signature, "inclusion": within(block, idx)},
        "previous": previous.header if previous else None,
        "keys": [key_of(key_id) for key_id in sorted({receipt.signature["key_id"], block.signature["key_id"]})],
    }


def sealing(entry: LogEntry) -> tuple[Block, int]:
    """Return the block that sealed an entry, and the entry's index in the log. Raises NotSealed while there is none."""
    if entry.idx is None:
        raise not_sealed()
    return Block.objects.sealing(entry.idx), entry.idx


def not_sealed() -> NotSealed:
    """Return the error for an entry that still waits, with the seconds until its block in Retry-After and
    `eta_seconds`."""
    seconds = params.get("log.seal_interval_s")
    detail = f"It will be in a signed block within about {seconds} s."
    return NotSealed(detail, retry_after=seconds, eta_seconds=seconds)


def within(block: Block, idx: int) -> list[str]:
    """Return the inclusion proof of an entry in the tree over the entries of its block alone, in hex."""
    hashes = leaf_hashes(block.first, block.end)
    return hexes(merkle.inclusion_proof(idx - block.first, block.count, merkle.nodes_of(hashes)))


def hexes(proof: Sequence[bytes]) -> list[str]:
    """Return digests in hex."""
    return [value.hex() for value in proof]


def key_of(key_id: str) -> dict[str, Any]:
    """Return the published form of a signing key. Raises LookupError."""
    key = signing.find(key_id)
    if key is None:
        raise LookupError(f"the key ring lacks the key {key_id}")
    return key.published()
