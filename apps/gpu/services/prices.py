"""The bound of the prices that miners register."""

from __future__ import annotations

from aitbc.core import params
from aitbc.core.errors import Invalid
from aitbc.core.money import format_amount


def check(price: int | None, *, field: str) -> None:
    """Raise Invalid for a price, in micro-AIT per hour, above the parameter miner.max_price."""
    most = params.get("miner.max_price")
    if price is not None and price > most:
        message = f"a price is at most {format_amount(most)} AIT per hour"
        raise Invalid(f"{field}: {message}", errors=[{"field": field, "message": message}])
