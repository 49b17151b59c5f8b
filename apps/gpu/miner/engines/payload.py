"""Checked members of a client's payload; each function raises BadInput with a sentence for the client."""

import base64
import binascii
import math
from typing import Any

from apps.gpu.miner.engines import BadInput, Progress


def integer(payload: dict[str, Any], name: str, default: int, low: int, high: int) -> int:
    """Return a whole number between the bounds."""
    value = payload.get(name, default)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput(f"{name} must be a whole number")
    if not low <= value <= high:
        raise BadInput(f"{name} must be between {low} and {high}")
    return value


def number(payload: dict[str, Any], name: str, default: float, low: float, high: float) -> float:
    """Return a finite number between the bounds."""
    value = payload.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadInput(f"{name} must be a number")
    if not low <= value <= high:
        raise BadInput(f"{name} must be between {low} and {high}")
    return float(value)


def choice(payload: dict[str, Any], name: str, default: str, allowed: tuple[str, ...]) -> str:
    """Return one of the allowed words."""
    value = payload.get(name, default)
    if not isinstance(value, str) or value not in allowed:
        raise BadInput(f"{name} must be one of {', '.join(allowed)}")
    return value


def first(payload: dict[str, Any], *names: str) -> Any:
    """Return the first of these members that is present and not null, else None."""
    return next((payload[name] for name in names if payload.get(name) is not None), None)


def text(payload: dict[str, Any], *names: str, limit: int) -> str:
    """Return a piece of text that is neither empty nor too long."""
    return _checked_text(first(payload, *names), names[0], limit)


def texts(payload: dict[str, Any], *, count: int, limit: int, total: int) -> list[str]:
    """Return the texts to work on: `texts`, or a list or single text under another usual name."""
    entries = first(payload, "texts", "text", "input", "inputs", "prompt")
    if entries is None:
        raise BadInput("texts (a list) or text is required")
    if not isinstance(entries, list):
        entries = [entries]
    if not 1 <= len(entries) <= count:
        raise BadInput(f"texts must hold between 1 and {count} texts")
    checked = [_checked_text(item, f"texts[{index}]", limit) for index, item in enumerate(entries)]
    if sum(map(len, checked)) > total:
        raise BadInput(f"texts must not exceed {total} characters together")
    return checked


def content(payload: dict[str, Any], progress: Progress, *names: str, limit: int) -> bytes:
    """Return binary input: the job's uploaded input if there is one, else base64 out of the payload."""
    if progress.input is not None:
        return _file(progress, limit)
    encoded = first(payload, *names)
    if not isinstance(encoded, str):
        raise BadInput(f"upload an input with the job, or give {names[0]} as base64 text")
    encoded = encoded.split(",", 1)[1] if encoded.startswith("data:") and "," in encoded else encoded
    if len(encoded) > limit * 4 // 3 + 4:
        raise BadInput(f"{names[0]} must not exceed {limit} bytes")
    try:
        return _not_empty(base64.b64decode("".join(encoded.split()), validate=True))
    except (binascii.Error, ValueError):
        raise BadInput(f"{names[0]} is not base64 text") from None


def _file(progress: Progress, limit: int) -> bytes:
    assert progress.input is not None
    if progress.input.stat().st_size > limit:
        raise BadInput(f"the input must not exceed {limit} bytes")
    return _not_empty(progress.input.read_bytes())


def _not_empty(data: bytes) -> bytes:
    if not data:
        raise BadInput("the input is empty")
    return data


def _checked_text(value: Any, name: str, limit: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{name} must be text and not empty")
    if len(value) > limit:
        raise BadInput(f"{name} must not exceed {limit} characters")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise BadInput(f"{name} holds a lone surrogate, which is no character")
    return value
