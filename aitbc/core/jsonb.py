"""JSON on its way into the database and out of it: every number comes back as the number that went in.

PostgreSQL's jsonb keeps decimals, and gives a double such as 1e20 back as 100000000000000000000. From outside no
integer beyond ±(2⁵³ − 1) is taken (parsers.py), so one that comes out of the database was a double.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

LONGEST_INTEGER = 20  # digits and a sign: below 2⁶⁴
CHANGEABLE = {int, list, dict}
LARGEST = 2**53 - 1  # the largest integer of RFC 8785, and of most languages' JSON


def loads(text: str | bytes) -> Any:
    """Return the value of JSON that the database has written.

    A number past all doubles, which no parser lets in, is infinite: its row can still be read, and named by the audit.
    """
    try:
        return _doubles(orjson.loads(text))
    except orjson.JSONDecodeError:
        return json.loads(text, parse_int=_number)


def dumps(value: Any) -> str:
    """Return a value as JSON for the database; numbers of the request parser are written as doubles.

    NaN and infinity, which no parser lets in, become null. Raises TypeError for what JSON cannot say.
    """
    return orjson.dumps(value, _double).decode()


def _number(text: str) -> int | float:
    return _doubles(int(text)) if len(text) <= LONGEST_INTEGER else float(text)  # type: ignore[no-any-return]


def _doubles(value: Any) -> Any:
    """The value with large integers as the doubles they were; lists and objects are changed in place."""
    kind = type(value)
    if kind is int:
        return value if -LARGEST <= value <= LARGEST else float(value)
    if kind is dict or kind is list:
        for key, inner in value.items() if kind is dict else enumerate(value):
            if type(inner) in CHANGEABLE:
                value[key] = _doubles(inner)
    return value


def _double(value: Any) -> float:
    if isinstance(value, float):  # a subclass of it: orjson writes only the class itself
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
