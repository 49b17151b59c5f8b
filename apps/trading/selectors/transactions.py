"""Entries of the log as the explorer shows them."""

from __future__ import annotations

import base64
import json
from typing import Any, TypedDict

from apps.trading.models import Block, LogEntry
from apps.trading.services import blocks


class EntryRow(TypedDict):
    """An entry in a list; `leaf` is its bytes in base64."""

    index: int | None
    hash: str
    kind: str
    body: dict[str, Any]
    leaf: str


def entry_row(entry: LogEntry) -> EntryRow:
    """Present an entry for a list."""
    leaf = bytes(entry.leaf)
    return {
        "index": entry.idx,
        "hash": entry.leaf_hash,
        "kind": entry.kind,
        "body": json.loads(leaf)["body"],
        "leaf": base64.b64encode(leaf).decode(),
    }


def transaction(entry: LogEntry) -> dict[str, Any]:
    """Return an entry with the block that sealed it, as TransactionSerializer describes it.

    `confirmations` counts that block and those after it; 0 while the entry waits.
    """
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
        "chain_id": blocks.origin(),
    }


def parties(kind: str, body: dict[str, Any]) -> dict[str, str | None]:
    """Return sender, recipient, amount and fee of an entry about money, in AIT; nulls for other kinds."""
    if kind == "tx.transfer":
        return {"from": body["debit"], "to": body["credit"], "amount": body["amount"], "fee": None}
    if kind in ("receipt.job", "receipt.slice"):
        receipt = body["receipt"]
        return {"from": receipt["client"], "to": receipt["provider"], "amount": receipt["price"], "fee": receipt["fee"]}
    return {"from": None, "to": None, "amount": None, "fee": None}
