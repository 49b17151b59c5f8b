"""What a command says when it cannot do its work: words for people, one JSON object for programs, both on stderr."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from django.core.management.base import CommandError
from django.db import InterfaceError, OperationalError

from aitbc.core.cli import program
from aitbc.core.cli.text import json_text, not_utf8
from aitbc.core.errors import DomainError

ENDED_OTHERWISE, USAGE = 1, 2  # an interrupt is 130: aitbc/__main__.py
PASSING = (429, 502, 503, 504)


class Failure(CommandError):
    """The command could not do its work; `code` is its reason for programs."""

    def __init__(self, detail: str, *, code: str = "failed", returncode: int = 1, **members: Any) -> None:
        super().__init__(detail, returncode=returncode)
        self.members = {"code": code, "detail": detail, "errors": [], "status": None, **members}


class UsageError(Failure):
    """What was typed is not a request: exit 2, as argparse does."""

    def __init__(self, detail: str, **members: Any) -> None:
        super().__init__(detail, code="usage", returncode=USAGE, **members)


class NoAnswer(Failure):
    """Nothing at this address answers as an exchange does."""

    def __init__(self, url: str, reason: str) -> None:
        advice = "Is it running (`make up`)? Another address: --url or AITBC_URL."
        super().__init__(f"No answer from {url}: {reason.rstrip('.')}. {advice}", code="no_connection")


class ApiProblem(Failure):
    """The exchange answered with a problem; `advice` says what the caller can do about it."""

    def __init__(self, status: int, body: dict[str, Any], retry_after: float, advice: str = "") -> None:
        code = str(body.get("code") or f"http_{status}")
        detail = str(body.get("detail") or body.get("title") or f"HTTP {status}")
        super().__init__(detail, code=code, status=status)
        more = {name: body[name] for name in body if name not in ("code", "detail", "status", "error")}
        self.members |= {**more, "errors": errors_of(body)}
        if advice:
            self.members["advice"] = advice
        self.status = status
        self.body = body
        self.retry_after = retry_after

    def __str__(self) -> str:
        return in_words(self.status, self.members)

    @property
    def is_passing(self) -> bool:
        """Whether the same request may well succeed in a moment."""
        return self.status in PASSING


def errors_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The errors of a problem, field by field; what is no object is a message without a field."""
    found = body.get("errors") or []
    listed = found if isinstance(found, list) else [found]
    return [one if isinstance(one, dict) else {"message": str(one)} for one in listed]


def in_words(status: int, body: dict[str, Any]) -> str:
    """A problem in one or a few lines: what, why, each field once, what to do."""
    lines = [headline(body)]
    lines += [f"  {one['field']}: {one.get('message')}" if one.get("field") else f"  {one.get('message')}"
              for one in body["errors"]]  # fmt: skip
    if allowed := body.get("allowed"):
        listed = ", ".join(map(str, allowed)) if isinstance(allowed, list) else str(allowed)
        lines.append(f"  allowed from here: {listed}")
    if body.get("advice"):
        lines.append(f"  {body['advice']}")
    lines.append(f"  (HTTP {status}, {body['code']}, request {body.get('request_id') or '-'})")
    return "\n".join(lines)


def headline(body: dict[str, Any]) -> str:
    """The title and the detail, without what the lines of the fields say anyway."""
    title, detail = str(body.get("title") or ""), str(body["detail"])
    if title and any(one.get("message") and str(one["message"]) in detail for one in body["errors"]):
        return title
    return detail if not title or title == detail else f"{title} {detail}"


def problem_of(answer: httpx.Response, advice: str = "") -> ApiProblem:
    try:
        body = answer.json()
    except ValueError:
        body = {"detail": answer.text[:300]}
    after = answer.headers.get("Retry-After", "1")
    wait = float(after) if after.replace(".", "", 1).isdecimal() else 1.0
    body = body if isinstance(body, dict) else {"detail": str(body)}
    return ApiProblem(answer.status_code, body, wait, advice)


def advice_for(status: int, scope: str) -> str:
    """What to do about an answer that is about the key."""
    made = f"`{program.line('key create')} --scope {scope}` makes one."
    if status == httpx.codes.UNAUTHORIZED:
        return f"Give a valid key with --key or AITBC_{scope.upper()}_KEY; {made}"
    if status == httpx.codes.FORBIDDEN:
        return f"Give another key with --key; {made}"
    return ""


def failure_of(error: Exception) -> CommandError:
    """The same error as one that a command may end with."""
    if isinstance(error, CommandError):
        return error
    if isinstance(error, DomainError):
        facts = ", ".join(f"{name} {value}" for name, value in error.members.items() if isinstance(value, str))
        detail = f"{error.detail} ({facts})" if facts else error.detail
        members = {"errors": getattr(error, "errors", []), **error.members}
        return Failure(detail, code=error.code, status=error.status, **members)
    if isinstance(error, (OperationalError, InterfaceError)):
        reason = str(error).strip().split("\n")[0]
        return Failure(f"The database does not answer: {reason}. Is it running (`make up`)?", code="no_database")
    raise error


def as_json(error: CommandError) -> str:
    """The error as one line of JSON: code, detail, errors and status, and what else the exchange sent."""
    members = error.members if isinstance(error, Failure) else Failure(str(error)).members
    return json_text(members)


def refuse_other_than_utf8(options: Mapping[str, Any]) -> None:
    """Raise UsageError for an argument that is a text but not one in UTF-8."""
    if name := not_utf8(options):
        raise UsageError(f"argument {name}: it is not UTF-8")


def usage_as_json(printed: str) -> str:
    """What argparse printed about the arguments, as JSON."""
    _, _, message = printed.strip().rpartition(": error: ")
    return as_json(UsageError(message or printed.strip()))
