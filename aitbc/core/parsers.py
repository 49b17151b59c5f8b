"""Strict, bounded JSON: how bytes from outside become values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, BinaryIO, NoReturn

from django.http import HttpRequest
from django.urls import Resolver404, resolve
from rest_framework.parsers import BaseParser

from aitbc.core import jsonb
from aitbc.core.errors import Invalid, TooLarge, UnsupportedMedia

KIB = 1024
DEFAULT_LIMIT = 64 * KIB
LARGEST = 32 * KIB * KIB
MAX_DEPTH = 32
MAX_NUMERAL = 64  # characters of one number


class BodyInvalid(Invalid):
    """The body is not acceptable JSON."""


class Number(float):
    """A JSON number with a fraction that remembers how it was written, so that money never passes through a float."""

    __slots__ = ("text",)
    text: str

    @classmethod
    def read(cls, text: str) -> Number:
        number = cls(text if len(text) <= MAX_NUMERAL else "inf")
        if math.isinf(number):
            raise BodyInvalid("A number is out of range.")
        number.text = text
        return number or cls._zero(text)

    @classmethod
    def _zero(cls, text: str) -> Number:
        """No minus: the database keeps none, and RFC 8785 writes none."""
        number = cls(0.0)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text

    @property
    def exact(self) -> Decimal:
        """The number as it was written."""
        return Decimal(self.text)


def plain(value: Any) -> Any:
    """The same value with ordinary floats, for storing and encoding."""
    if isinstance(value, Number):
        return float(value)
    if type(value) is dict:
        return {name: plain(inner) for name, inner in value.items()}
    if type(value) is list:
        return [plain(inner) for inner in value]
    return value


def read_body(request: Any, limit: int = DEFAULT_LIMIT, stream: Any = None) -> bytes:
    """The raw body, refused when encoded or longer than the limit, before it is all in memory."""
    refuse_encoded(request)
    if declared_length(request) > limit:
        raise TooLarge(limit=limit)
    return read_stream(request if stream is None else stream, limit)


def declared_length(request: Any) -> int:
    """How many bytes of body the request says it has; 0 when it does not say."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    return int(declared) if declared.isascii() and declared.isdigit() else 0


def read_stream(stream: BinaryIO | HttpRequest, limit: int) -> bytes:
    body: bytes = stream.read(limit + 1)
    if len(body) > limit:
        raise TooLarge(limit=limit)
    return body


def refuse_encoded(request: HttpRequest) -> None:
    """Compressed bodies are not taken: a small one may be a bomb."""
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMedia("Encoded bodies are not accepted; send plain JSON.")


def loads(body: bytes) -> Any:
    """Strict JSON: UTF-8, depth at most 32, no duplicate keys, NUL, lone surrogates, NaN, or integers past ±(2⁵³ − 1).

    Larger integers have no RFC 8785 form that survives other languages: what is echoed could not be signed.
    """
    if jsonb.depth_of(body, MAX_DEPTH) > MAX_DEPTH:
        raise BodyInvalid(f"The body is nested deeper than {MAX_DEPTH} levels.")
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=Number.read,
            parse_constant=_constant,
        )
    except UnicodeDecodeError:
        raise BodyInvalid("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise BodyInvalid(f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    # Raw NULs are refused by the decoder and raw surrogates by UTF-8: only an escape can bring them in.
    if b"\\u" in body:
        for text in _strings(value):
            refuse_unstorable(text)
    return value


def refuse_unstorable(text: str) -> None:
    """PostgreSQL stores neither NUL nor half a surrogate pair."""
    if "\x00" in text:
        raise BodyInvalid("A text contains NUL.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise BodyInvalid("A text contains a lone surrogate.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise BodyInvalid("An object names the same key twice.")
    return read


def _integer(text: str) -> int:
    if len(text) > MAX_NUMERAL or not -jsonb.LARGEST <= int(text) <= jsonb.LARGEST:
        raise BodyInvalid(f"An integer lies beyond ±{jsonb.LARGEST} (2^53 − 1): write it as a string.")
    return int(text)


def _constant(text: str) -> NoReturn:
    raise BodyInvalid(f"{text} is not JSON.")


def _strings(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, str):
            yield current
        elif isinstance(current, dict):
            pending.extend(current)
            pending.extend(current.values())
        elif isinstance(current, list):
            pending.extend(current)


class StrictJSONParser(BaseParser):
    """Parses JSON for DRF by `loads`; a view says `body_limit`, or `body_limits` per action."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        context = parser_context or {}
        limit = limit_of(context.get("view"))
        request = context.get("request")
        body = read_stream(stream, limit) if request is None else read_body(request, limit, stream)
        return loads(body) if body.strip() else {}


class BytesParser(BaseParser):
    """For actions that take any bytes: `request.data` is the stream, to be read part by part and with a limit."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        return stream


def limit_of(view: Any, action: str | None = None) -> int:
    """How many bytes of body an action of this view takes; its present one, if none is named."""
    limits: Mapping[str, int] = getattr(view, "body_limits", {})
    return limits.get(action or getattr(view, "action", None) or "", getattr(view, "body_limit", DEFAULT_LIMIT))


def limit_of_route(method: str, path: str) -> int:
    """How many bytes of body the route at this path takes; LARGEST where it is no viewset of ours."""
    try:
        view: Any = resolve(path).func
    except Resolver404:
        return DEFAULT_LIMIT
    actions: Mapping[str, str] = getattr(view, "actions", None) or {}
    return limit_of(view.cls, actions.get(method.lower())) if hasattr(view, "cls") else LARGEST
