"""Commitments of receipts to what a job read and wrote: the log shows them, only the job's owner can open them.

input_hash = SHA-256(tag ‖ line feed ‖ salt ‖ canonical JSON (RFC 8785) of {artifacts, payload}), hashes in hex; the
salt is 32 random bytes of the job's own, so that neither short nor equal inputs can be recognized (docs/receipts.md).
The output is committed to in the same way: a result may be as short as a word. verify_receipt.py computes the same.
"""

from __future__ import annotations

import hashlib
from typing import Any, TypedDict

from aitbc.core import canonical

INPUT_TAG = "aitbc.input.v1"
OUTPUT_TAG = "aitbc.output.v1"


class Opening(TypedDict):
    """What opens the commitments of one job: all in hex; `result_sha256` is empty for a job without a result."""

    salt: str
    payload_sha256: str
    artifacts: list[str]
    result_sha256: str


def input_hash(opening: Opening) -> str:
    """Return the commitment to payload and artifacts, in hex."""
    committed = {"payload": opening["payload_sha256"], "artifacts": opening["artifacts"]}
    return commitment(INPUT_TAG, opening["salt"], committed)


def output_hash(opening: Opening) -> str:
    """Return the commitment to the result, in hex; empty for a job without a result."""
    result = opening["result_sha256"]
    return commitment(OUTPUT_TAG, opening["salt"], {"result": result}) if result else ""


def commitment(tag: str, salt: str, committed: dict[str, Any]) -> str:
    """Return the salted hash of these hashes."""
    return hashlib.sha256(tag.encode() + b"\n" + bytes.fromhex(salt) + canonical.encode(committed)).hexdigest()
