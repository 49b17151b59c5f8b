"""Types of arguments: what argparse calls to read a word, and says in plain words when it cannot."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from typing import Any

from aitbc.core import parsers
from aitbc.core.errors import DomainError

NUMERAL = re.compile(r"-?\d{1,18}(\.\d{1,18})?", re.ASCII)


def json_object(text: str) -> dict[str, Any]:
    """A JSON object by the rules of a request's body (core/parsers.py): no integer beyond ±(2⁵³ − 1), no key twice."""
    try:
        found = parsers.plain(parsers.loads(text.encode("utf-8", "surrogateescape")))
    except DomainError as error:
        raise ArgumentTypeError(f"this is not JSON that the exchange takes: {error.detail}") from None
    if not isinstance(found, dict):
        raise ArgumentTypeError('a JSON object is expected, e.g. {"model": "RTX 4090"}')
    return found


def nonempty(words: str) -> str:
    """Words that say something."""
    if not words.strip():
        raise ArgumentTypeError("it must not be empty")
    return words


class Range:
    """A number from `low` to `high`; as argparse's type it says this range of every other word."""

    def __init__(self, low: float, high: float, *, whole: bool) -> None:
        self.low, self.high, self.whole = low, high, whole

    def __call__(self, text: str) -> int | float:
        number = self._read(text)
        if number is None or not self.low <= number <= self.high:
            raise ArgumentTypeError(f"{text[:40]!r} is not {self}")
        return number

    def __str__(self) -> str:
        return f"a {'whole ' if self.whole else ''}number from {self.low} to {self.high}"

    def _read(self, text: str) -> int | float | None:
        found = NUMERAL.fullmatch(text)
        if found is None or (self.whole and found[1]):
            return None
        return float(text) if found[1] else int(text)


def whole(low: int, high: int) -> Range:
    """A whole number in this range."""
    return Range(low, high, whole=True)


def number(low: float, high: float) -> Range:
    """A number in this range, with a fraction or without."""
    return Range(low, high, whole=False)


LIMIT = whole(1, 200)  # rows of a page: the largest that lists answer with
PORT = whole(1, 65_535)
DAYS = whole(1, 36_500)
HOURS = number(0.01, 8760)
MINUTES = number(1, 525_600)
TIMEOUT = number(0, 86_400)  # seconds
