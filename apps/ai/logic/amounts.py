"""Money of jobs as people read it: AIT, as decimal strings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aitbc.core.money import format_amount


def in_ait(**amounts: int) -> dict[str, str]:
    """Return amounts of micro-AIT as a job's history holds them."""
    return {name: format_amount(micro) for name, micro in amounts.items()}


def shown(requirement: Mapping[str, Any]) -> dict[str, Any]:
    """Return a requirement, or a part of one, with its price ceiling in AIT per hour."""
    ceiling = requirement.get("max_price")
    return {**requirement, **({} if ceiling is None else in_ait(max_price=ceiling))}
