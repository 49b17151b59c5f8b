"""Two-way constraints: to whom an offer is let (the auctions part brings the language)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def admits(expression: str, facts: Mapping[str, Any]) -> bool:
    """Whether the facts satisfy the expression; one that cannot be judged admits nobody."""
    return not expression.strip()
