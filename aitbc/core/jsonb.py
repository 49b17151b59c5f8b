"""JSON on its way into the database and out of it: every number comes back as the number that went in.

PostgreSQL's jsonb keeps decimals, and gives a double such as 1e20 back as 100000000000000000000. From outside no
integer beyond ±(2⁵³ − 1) is taken (parsers.py), so one that comes out of the database was a double.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

LONGEST_INTEGER = 20  # digits and a sign: below 2⁶⁴
CHANGEABLE = {int, list, dict}
LARGEST = 2**53 - 1  # the largest integer of RFC 8785, and of most languages' JSON
DEEPEST = 128  # levels; parsers take 32 (parsers.py), orjson writes 254 with the levels of the response around them
# A string, or the unfinished rest of the text: possessive and never failing, hence linear whatever the text is.
STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
BRACKETS = re.compile(rb"[\[\]{}]")


class Unreadable:
    """What JSON nested too deep reads as: no encoder writes it, so it is neither shown, nor hashed, nor stored."""

    def __str__(self) -> str:
        return f"JSON of more than {DEEPEST} levels"


class _TooDeep(Exception):
    """The value has more levels than are read."""


def loads(text: str | bytes) -> Any:
    """Return the value of JSON that the database has written; an Unreadable one if it has more than DEEPEST levels.

    A number past all doubles, which no parser lets in, is infinite: its row can still be read, and named by the audit.
    """
    try:
        return _doubles(orjson.loads(text), DEEPEST)
    except _TooDeep:
        return Unreadable()
    except orjson.JSONDecodeError:
        if depth_of(text.encode() if isinstance(text, str) else text, DEEPEST) > DEEPEST:
            return Unreadable()
        return json.loads(text, parse_int=_number)


def dumps(value: Any) -> str:
    """Return a value as JSON for the database; numbers of the request parser are written as doubles.

    NaN and infinity, which no parser lets in, become null. Raises TypeError for what JSON cannot say.
    """
    return orjson.dumps(value, _double).decode()


def depth_of(text: bytes, most: int) -> int:
    """How deep brackets nest outside strings, at least as far as `most`; read without recursion."""
    bound = text.count(b"[") + text.count(b"{")
    if bound <= most:
        return bound
    deepest = depth = 0
    for bracket in BRACKETS.finditer(STRINGS.sub(b"", text)):
        depth += 1 if bracket[0] in b"[{" else -1
        deepest = max(deepest, depth)
        if deepest > most:
            break
    return deepest


def _number(text: str) -> int | float:
    return _doubles(int(text), 1) if len(text) <= LONGEST_INTEGER else float(text)  # type: ignore[no-any-return]


def _doubles(value: Any, levels: int) -> Any:
    """The value with large integers as the doubles they were; lists and objects are changed in place.

    Raises _TooDeep where it has more levels than these.
    """
    kind = type(value)
    if kind is int:
        return value if -LARGEST <= value <= LARGEST else float(value)
    if kind is dict or kind is list:
        if not levels:
            raise _TooDeep
        for key, inner in value.items() if kind is dict else enumerate(value):
            if type(inner) in CHANGEABLE:
                value[key] = _doubles(inner, levels - 1)
    return value


def _double(value: Any) -> float:
    if isinstance(value, float):  # a subclass of it: orjson writes only the class itself
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
