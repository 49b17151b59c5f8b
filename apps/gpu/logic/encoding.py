"""JSON as the exchange takes it: valid text, finite numbers, whole numbers that every reader keeps, bounded depth."""

import json
import math
from collections.abc import Iterable
from typing import Any

MAX_DEPTH = 32  # levels of brackets in one body
MAX_INTEGER = 2**53 - 1  # beyond it a double is another number (RFC 8785, RFC 7493)
RESULT_LIMIT = 16 * 2**20  # bytes of a result


class Unencodable(ValueError):
    """A value that the exchange would refuse; the text says where it is and what is wrong with it."""


def valid_text(value: str) -> str:
    """Return the text with what is no character replaced by U+FFFD: lone surrogates and NUL.

    Two halves of a surrogate pair that arrived apart, as streaming model servers send them, become one character.
    """
    if "\x00" in value:
        value = value.replace("\x00", "\ufffd")
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def decoded(value: bytes) -> str:
    """Return bytes of any origin as valid text."""
    return valid_text(value.decode("utf-8", "replace"))


def plain(value: Any, *, depth: int = MAX_DEPTH) -> Any:
    """Return the value as plain JSON of at most `depth` levels, its texts valid. Raises Unencodable."""
    if isinstance(value, str):
        return valid_text(str(value))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, dict | list | tuple):
        if depth < 1:
            raise Unencodable("it is nested too deeply")
        return _object(value, depth) if isinstance(value, dict) else _list(value, depth)
    raise Unencodable(f"{type(value).__name__} is not a type of JSON")


def encode(value: Any, *, depth: int = MAX_DEPTH) -> bytes:
    """Return the value as JSON in UTF-8, of at most `depth` levels. Raises Unencodable."""
    return dumped(plain(value, depth=depth))


def dumped(value: Any) -> bytes:
    """Return a value of `plain` as JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _number(value: int | float) -> int | float:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unencodable(f"{value} is not a number of JSON")
        return float(value)
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise Unencodable("a whole number is beyond ±(2^53 - 1)")
    return int(value)


def _list(value: Iterable[Any], depth: int) -> list[Any]:
    return [_member(f"[{place}]", item, depth) for place, item in enumerate(value)]


def _object(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    found = {_key(key): _member(f".{key}", item, depth) for key, item in value.items()}
    if len(found) != len(value):
        raise Unencodable("two keys of an object are the same text")
    return found


def _key(key: Any) -> str:
    """Numbers, true, false and null become text, as in the json module."""
    if isinstance(key, str):
        return valid_text(str(key))
    if key is None or isinstance(key, bool | int | float):
        return json.dumps(plain(key))
    raise Unencodable(f"a key is {type(key).__name__} and not text")


def _shown(place: str) -> str:
    """The place in one line, whatever a key has in it."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in valid_text(place))


def _member(place: str, item: Any, depth: int) -> Any:
    try:
        return plain(item, depth=depth - 1)
    except Unencodable as error:
        text = str(error)
        raise Unencodable(f"{_shown(place)[:80]}{'' if text[0] in '.[' else ': '}{text}"[:500]) from None
