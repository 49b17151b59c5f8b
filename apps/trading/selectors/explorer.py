"""Blocks, receipts and entries as the explorer shows them: our fields and the predecessor's, in one object."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from apps.trading.models import Block, LogEntry, Receipt
from apps.trading.services import blocks

#: The predecessor's clients send this name for whatever chain they are talking to.
DEFAULT_CHAIN = "ait-devnet"
#: Every receipt is of a job that was done.
STATUS = "completed"


def block_row(block: Block) -> dict[str, Any]:
    return {
        **{name: block.header[name] for name in ("height", "prev", "first", "count", "tree_size", "tree_root")},
        "hash": block.hash,
        "timestamp": block.header["time"],
        "txCount": block.count,
        "proposer": block.signature["key_id"],
    }


def block_view(block: Block) -> dict[str, Any]:
    """A block whole: what is signed, the signature, and what its hashes stand for."""
    whole = {name: getattr(block, name) for name in ("header", "signature", "checkpoint", "ledger")}
    return {**block_row(block), "block_id": block.hash, **whole}


def receipt_row(receipt: Receipt, chain: str) -> dict[str, Any]:
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


def entry_row(entry: LogEntry) -> dict[str, Any]:
    leaf = bytes(entry.leaf)
    return {
        "index": entry.idx,
        "hash": entry.leaf_hash,
        "kind": entry.kind,
        "body": json.loads(leaf)["body"],
        "leaf": base64.b64encode(leaf).decode(),
    }


def transaction(entry: LogEntry) -> dict[str, Any]:
    """An entry with the block that holds it, and how many came since."""
    newest = Block.objects.newest()
    block = Block.objects.sealing(entry.idx) if entry.idx is not None else None
    body = json.loads(bytes(entry.leaf))["body"]
    return {
        "hash": entry.leaf_hash,
        "tx_hash": entry.leaf_hash,
        "kind": entry.kind,
        "status": "sealed" if block else "submitted",
        "index": entry.idx,
        "block": block.height if block else None,
        "block_hash": block.hash if block else None,
        "confirmations": newest.height - block.height + 1 if block and newest else 0,
        "timestamp": (block.sealed_at if block else entry.created_at).isoformat(),
        **parties(entry.kind, body),
        "raw": body,
        "chain_id": blocks.origin(newest),
    }


def parties(kind: str, body: dict[str, Any]) -> dict[str, str | None]:
    """From whom to whom and how much, where the entry is about money."""
    if kind == "tx.transfer":
        return {"from": body["debit"], "to": body["credit"], "amount": body["amount"], "fee": None}
    if kind == "receipt.job":
        receipt = body["receipt"]
        return {"from": receipt["client"], "to": receipt["provider"], "amount": receipt["price"], "fee": receipt["fee"]}
    return {"from": None, "to": None, "amount": None, "fee": None}


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
