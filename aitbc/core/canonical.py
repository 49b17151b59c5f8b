"""Canonical JSON (RFC 8785): one value, one sequence of bytes, whoever writes it; all we sign is written so."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785


def encode(value: Any) -> bytes:
    """The canonical bytes; raises ValueError for what RFC 8785 cannot say: NaN, integers past 2^53, lone surrogates."""
    try:
        return rfc8785.dumps(value)
    except UnicodeEncodeError as error:
        raise ValueError("a lone surrogate has no canonical form") from error


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, in hex."""
    return hashlib.sha256(encode(value)).hexdigest()
