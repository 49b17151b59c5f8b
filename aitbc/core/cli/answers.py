"""Answers of an exchange, decoded; one of another shape is a Failure: something else is at this address."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from types import UnionType
from typing import Any

import httpx

from aitbc.core.cli.errors import Failure

Shape = type | UnionType


class NotAnExchange(Failure):
    """What answers at this address is something else."""

    def __init__(self, url: str, reason: str, status: int | None = None, advice: str = "") -> None:
        advice = advice or "Another address: --url or AITBC_URL."
        detail = f"What answers at {url} is not an AITBC exchange: {reason}. {advice}"
        super().__init__(detail, code="not_an_exchange", status=status)


class Answer(dict[str, Any]):
    """An object of an answer; a member that it lacks raises NotAnExchange."""

    def __init__(self, members: Mapping[str, Any], url: str) -> None:
        super().__init__(members)
        self.url = url

    def __missing__(self, name: str) -> Any:
        raise NotAnExchange(self.url, f"its answer has no {name!r}")


def decoded(content: bytes | str, url: str, shape: Shape = dict) -> Any:
    """The JSON value, which has this shape; lists, and the items of a page, hold objects. Raises NotAnExchange."""
    try:
        value = json.loads(content, object_hook=partial(Answer, url=url)) if content else None
    except (ValueError, RecursionError):
        raise NotAnExchange(url, "its answer is not JSON") from None
    if not isinstance(value, shape):
        raise NotAnExchange(url, "its answer has another shape")
    items = value.get("items", []) if isinstance(value, dict) else value
    if value is not None and not is_rows(items):
        raise NotAnExchange(url, "its answer is no list of objects")
    return value


def is_rows(value: Any) -> bool:
    """Whether it is a list of objects."""
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def redirected(answer: httpx.Response, url: str) -> NotAnExchange:
    """The failure for an answer that is neither a success nor a problem: a redirect."""
    location = answer.headers.get("Location")
    where = f"HTTP {answer.status_code} redirects to {location}" if location else f"HTTP {answer.status_code}"
    advice = f"If the exchange is there, set AITBC_URL to {location}." if location else ""
    return NotAnExchange(url, where, answer.status_code, advice)
