"""Receipts in the legacy format: version 1.0, JSON numbers instead of decimal strings, a signature of its own.

They are made from our receipt on request; Ed25519 is deterministic, so the result is always the same.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from aitbc.core import signing
from aitbc.core.money import UNIT, parse_amount
from apps.trading.models import Receipt

SECONDS_PER_HOUR = 3600


def render(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt in version 1.0 with its signature; `key_id` is the public key itself, as legacy clients do."""
    key = signing.find(receipt.signature["key_id"]) or signing.current()
    body = body_of(receipt)
    sig = signing.b64(key.private.sign(message(body)))
    signature = {"alg": signing.ALG, "key_id": signing.b64(key.public), "sig": sig}
    return {**body, "signature": signature, "attestations": []}


def body_of(receipt: Receipt) -> dict[str, Any]:
    """Return the fields of version 1.0 without signature and attestations."""
    ours = receipt.body
    return {
        "version": "1.0",
        "receipt_id": receipt.pk.hex,
        "job_id": ours["job"],
        "provider": ours["miner"],
        "client": ours["client"],
        "status": ours.get("outcome", "completed"),
        "units": ours["metered_ms"] / 1000,
        "unit_type": "gpu_seconds",
        "unit_price": round(number(ours["rate"]) / SECONDS_PER_HOUR, 9),
        "price": number(ours["price"]),
        "started_at": epoch(ours["started"]),
        "completed_at": epoch(ours["ended"]),
        "metadata": {
            "job_payload": {"task_type": ours["task_type"], "model": ours["model"], "sha256": ours["input_hash"]},
            "job_constraints": {},
            "result": {"sha256": ours["output_hash"]},
            "metrics": {"duration_ms": ours["metered_ms"], "attempt": ours["attempt"]},
        },
    }


def number(amount: str) -> Any:
    """Return AIT as a JSON number, which legacy clients compute with; nothing else reads it."""
    return parse_amount(amount) / UNIT


def epoch(moment: str) -> int:
    """Return the whole seconds since 1970 of an RFC 3339 time."""
    return int(datetime.fromisoformat(moment).timestamp())


def message(body: dict[str, Any]) -> bytes:
    """Return the bytes that are signed: JSON without signature, attestations and nulls; sorted keys, ASCII escapes."""
    fields = {name: value for name, value in body.items() if name not in ("signature", "attestations")}
    return json.dumps(without_nulls(fields), sort_keys=True, separators=(",", ":")).encode()


def without_nulls(value: Any) -> Any:
    """Return a JSON value without members that are null, at any depth."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value if inner is not None]
    return value
