"""Money is a whole number of micro-AIT (10⁻⁶ AIT); this module is the only place that parses, prints or rounds it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

SCALE = 6
UNIT = 10**SCALE
LARGEST = 2**63 - 1
MS_PER_HOUR = 3_600_000
LONGEST_NUMERAL = 40
#: A number as text, wherever one is read: digits and one point. No sign but the minus of what is below zero, no
#: exponent, space or underscore.
NUMERAL = re.compile(r"(?!-[0.]*$)-?[0-9]+(?:\.[0-9]+)?")


def parse_decimal(text: str) -> Decimal:
    """Read a number written with digits and one point. Raises ValueError for any other form."""
    if len(text) > LONGEST_NUMERAL or not NUMERAL.fullmatch(text):
        raise ValueError("not a decimal number: write digits and one point")
    return Decimal(text)


def parse_amount(amount: str | int | Decimal) -> int:
    """Read an amount of AIT (a decimal string, an int or a Decimal; never a float) as micro-AIT.

    Raises ValueError when it is not a finite number, has more than six places, or leaves the 64-bit range.
    """
    if isinstance(amount, (bool, float)):
        raise ValueError("an amount is a decimal string or a whole number")
    value = parse_decimal(amount) if isinstance(amount, str) else Decimal(amount)
    if not value.is_finite() or (value and not -30 <= value.adjusted() <= 20):
        raise ValueError("out of range")
    micro = _scaled(value)
    if abs(micro) > LARGEST:
        raise ValueError("out of range")
    return micro


def _scaled(value: Decimal) -> int:
    """The number of micro-AIT, from the digits themselves: arithmetic of Decimals rounds to 28 of them."""
    negative, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    if len(digits) > LONGEST_NUMERAL:
        raise ValueError(f"more than {LONGEST_NUMERAL} digits")
    number, shift = int("".join(map(str, digits))), exponent + SCALE
    divisor: int = 10 ** max(0, -shift)
    if number % divisor:
        raise ValueError(f"more than {SCALE} decimal places")
    micro: int = number // divisor * 10 ** max(0, shift)
    return -micro if negative else micro


@lru_cache(maxsize=8192)
def format_amount(micro: int) -> str:
    """Print micro-AIT as a decimal string of AIT with six places."""
    whole, part = divmod(abs(micro), UNIT)
    return f"{'-' if micro < 0 else ''}{whole}.{part:0{SCALE}d}"


def metered(rate_per_hour: int, milliseconds: int) -> int:
    """What a number of milliseconds costs at a rate in micro-AIT per hour, rounded down."""
    return rate_per_hour * milliseconds // MS_PER_HOUR


def metered_parts(parts: Iterable[tuple[int, int]], carry: int = 0) -> tuple[int, int]:
    """What spans of (micro-AIT per hour, milliseconds) cost together, and the remainder to hand to the next call.

    The remainder is in units of rate × ms, below MS_PER_HOUR: however time is cut, the slices add up to the whole.
    """
    return divmod(carry + sum(rate * milliseconds for rate, milliseconds in parts), MS_PER_HOUR)


def fee_of(amount: int, basis_points: int) -> int:
    """The fee on an amount, in micro-AIT, rounded half to even."""
    whole, rest = divmod(amount * basis_points, 10_000)
    if rest * 2 > 10_000 or (rest * 2 == 10_000 and whole % 2):
        whole += 1
    return whole
