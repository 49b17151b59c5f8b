"""RFC 9457: every error of every kind becomes a response here."""

from __future__ import annotations

import http
import json
import logging
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests
from rest_framework import exceptions

from aitbc.core.db import sqlstate
from aitbc.core.errors import DomainError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:aitbc:problem:"
# SQLSTATE classes that say "not now" and never "not you": connection, resources, shutdown, lost races, timeouts.
PASSING = ("08", "53", "57P", "40", "57014", "55P03", "25006", "25P03")

logger = logging.getLogger("aitbc.problems")


def problem(  # noqa: PLR0913  the members of RFC 9457, and headers
    request: HttpRequest | None,
    status: int,
    *,
    code: str,
    title: str = "",
    detail: str = "",
    errors: list[dict[str, str]] | None = None,
    members: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return one problem body; `error` repeats the code for legacy clients, which read that member."""
    title = title or http.HTTPStatus(status).phrase
    body: dict[str, Any] = {
        **(members or {}),
        "type": TYPE_PREFIX + code.replace("_", "-"),
        "title": title,
        "status": status,
        "detail": detail or title,
        "code": code,
        "request_id": getattr(request, "request_id", ""),
        "error": code,
    }
    if errors or status == http.HTTPStatus.BAD_REQUEST:
        body["errors"] = errors or []
    answer = HttpResponse(
        json.dumps(body, default=str), status=status, content_type=MEDIA_TYPE, headers=dict(headers or {})
    )
    answer["Cache-Control"] = "no-store"
    return answer


def retry_after(seconds: float) -> dict[str, str]:
    """Whole seconds with jitter, so that the refused do not come back together."""
    return {"Retry-After": str(max(1, math.ceil(seconds * random.uniform(1, 1.5))))}


def is_passing(error: BaseException) -> bool:
    """Whether a database error is about the moment and not about the statement."""
    if isinstance(error, (PoolTimeout, PoolClosed, TooManyRequests)):
        return True
    if not isinstance(error, (DatabaseError, InterfaceError)):
        return False
    state = sqlstate(error)
    if state:
        return state.startswith(PASSING)
    # Without a SQLSTATE the statement never reached a server: the connection could not be had, or broke.
    return isinstance(error, (OperationalError, InterfaceError))


def problem_of(error: BaseException, request: HttpRequest | None) -> HttpResponse | None:
    """The answer to a known error; None for an unknown one, which is a bug."""
    if isinstance(error, DomainError):
        return _of_domain(error, request)
    if isinstance(error, exceptions.APIException):
        return _of_framework(error, request)
    if isinstance(error, Http404):
        return _not_found(request)
    if isinstance(error, PermissionDenied):
        return problem(request, 403, code="forbidden", title="The key does not permit this.")
    if isinstance(error, SuspiciousOperation):
        return problem(request, 400, code="invalid", detail="The request is not acceptable.")
    if is_passing(error):
        logger.warning("database unavailable: %s", error, extra={"sqlstate": sqlstate(error)})
        return problem(
            request, 503, code="unavailable", detail="A database does not answer at the moment.", headers=retry_after(1)
        )
    return None


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """For REST_FRAMEWORK: errors raised inside views."""
    request = context["request"]
    return problem_of(error, getattr(request, "_request", request))


def _of_domain(error: DomainError, request: HttpRequest | None) -> HttpResponse:
    headers: dict[str, str] = {}
    if error.retry_after is not None:
        headers |= retry_after(error.retry_after)
    if error.status == http.HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="aitbc"'
    return problem(
        request,
        error.status,
        code=error.code,
        title=error.title(),
        detail=error.detail,
        errors=getattr(error, "errors", None),
        members=error.members,
        headers=headers,
    )


def _of_framework(error: exceptions.APIException, request: HttpRequest | None) -> HttpResponse:
    headers: dict[str, str] = {}
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if isinstance(error, exceptions.Throttled):
        headers |= retry_after(getattr(error, "wait", None) or 1)
    if isinstance(error, exceptions.ValidationError):
        errors = list(flatten(error.detail))
        first = errors[0] if errors else {"field": "", "message": "The request is not valid."}
        detail = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
        return problem(
            request, 400, code="invalid", title="The request has an invalid value.", detail=detail, errors=errors
        )
    if isinstance(error, exceptions.NotFound):
        return _not_found(request)
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else str(error.default_code)
    return problem(request, error.status_code, code=CODES.get(code, code), detail=str(error.detail), headers=headers)


CODES = {
    "permission_denied": "forbidden",
    "throttled": "rate_limited",
    "parse_error": "invalid",
    "unsupported_media_type": "unsupported_media",
}


def flatten(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """DRF's nested error detail as one list of {field, message, code}."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            here = "" if name == "non_field_errors" else str(name)
            yield from flatten(inner, ".".join(filter(None, (path, here))))
    elif isinstance(detail, (list, tuple)):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, (Mapping, list, tuple))
            yield from flatten(inner, f"{path}.{index}".strip(".") if nested and inner else path)
    else:
        yield {"field": path, "message": str(detail), "code": str(getattr(detail, "code", "invalid"))}


def _not_found(request: HttpRequest | None) -> HttpResponse:
    # One body for "absent" and "not yours": no detail of either may show.
    return problem(request, 404, code="not_found", title="There is no such thing, or it is not yours.")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """handler400."""
    return problem(request, 400, code="invalid", detail="The request is not acceptable.")


def forbidden(request: HttpRequest, exception: Exception | None = None, reason: str = "") -> HttpResponse:
    """handler403 and CSRF_FAILURE_VIEW."""
    return problem(request, 403, code="forbidden", detail=reason or "This is not permitted.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """handler404: no route, where `not_found` says that there is no object."""
    return problem(request, 404, code="route_not_found", title="There is no such address; /docs lists them all.")


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: a bug; the request id is all that leaves, and the name of a row that cannot be read (rows.py)."""
    if name := _row_of(request):
        detail = f"{name} cannot be shown; `manage.py audit` says what is wrong with it. Please report the request_id."
        title = "A row cannot be shown."
        return problem(request, 500, code="unreadable_row", title=title, detail=detail, members={"id": name})
    return problem(request, 500, code="internal", detail="An unexpected error; please report the request_id.")


def _row_of(request: HttpRequest) -> str:
    """The id in the address of a request that only reads; empty without one."""
    match = request.resolver_match
    return " ".join(map(str, match.kwargs.values())) if match and request.method in ("GET", "HEAD") else ""


def locked_out(request: HttpRequest, response: Any = None, credentials: Any = None, *args: Any) -> HttpResponse:
    """AXES_LOCKOUT_CALLABLE: too many failed logins."""
    headers = {"Retry-After": "300"}
    return problem(
        request, 429, code="rate_limited", detail="Too many failed logins; wait a few minutes.", headers=headers
    )


def restated(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Django's own HTML or text error pages as problems: 404 under DEBUG, 405 of plain views, refused hosts."""
    status = response.status_code
    code = {400: "invalid", 403: "forbidden", 404: "route_not_found", 405: "method_not_allowed", 500: "internal"}.get(
        status, "error"
    )
    kept = {name: response[name] for name in ("Allow", "Retry-After", "WWW-Authenticate") if name in response}
    return problem(request, status, code=code, headers=kept)
