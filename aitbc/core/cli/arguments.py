"""Types of arguments: what argparse calls to read a word, and says in plain words when it cannot."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from typing import Any


def json_object(text: str) -> dict[str, Any]:
    """A JSON object."""
    try:
        found = json.loads(text)
        json.dumps(found, allow_nan=False)  # NaN, and what is too large for a number
    except (ValueError, RecursionError) as error:
        raise ArgumentTypeError(f"this is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ArgumentTypeError('a JSON object is expected, e.g. {"model": "RTX 4090"}')
    return found
