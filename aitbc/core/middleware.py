"""What happens to every request and every response, whatever view they meet."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from aitbc.core import long_polling, metrics, problems
from aitbc.core.errors import DomainError, Invalid, RequestTimeout, TooLarge
from aitbc.core.parsers import refuse_encoded

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
PROBLEM = problems.MEDIA_TYPE
JSON_POLICY = "default-src 'none'; frame-ancestors 'none'"
# The admin's theme evaluates Alpine expressions; its pages load nothing from elsewhere.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
logger = logging.getLogger("aitbc.requests")


class ApiMiddleware:
    """Gives the request its id, refuses what needs no view, restates errors, adds headers, measures."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        request.request_id = request_id_of(request)  # type: ignore[attr-defined]
        structlog.contextvars.bind_contextvars(request_id=request.request_id)  # type: ignore[attr-defined]
        try:
            response = refusal(request) or self.get_response(request)
            if is_foreign_error(request, response):
                response = problems.restated(request, response)  # type: ignore[arg-type]
            add_headers(request, response)
            metrics.observe(request, response.status_code, time.perf_counter() - started)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Answer known errors of plain Django views; unknown ones go on to handler500 (and to the log)."""
        response = problems.problem_of(error, request)
        if response is None and settings.DEBUG:
            logger.error("unhandled error", exc_info=error)
            return problems.server_error(request)
        return response


def refusal(request: HttpRequest) -> HttpResponseBase | None:
    """Return the problem of a request that no view should see, or None."""
    try:
        refuse_unread_body(request)
        refuse_encoded(request)
        refuse_bad_address(request)
    except DomainError as error:
        return problems.problem_of(error, request)
    return None


def refuse_unread_body(request: HttpRequest) -> None:
    """Raise TooLarge, RequestTimeout or Invalid for a body that the dispatcher did not read (long_polling.REFUSED)."""
    why, limit = request.META.get(long_polling.REFUSED), request.META.get(long_polling.BODY_LIMIT)
    if why == long_polling.TOO_LARGE:
        raise TooLarge(f"This route takes at most {limit} bytes of body.", limit=limit)
    if why == long_polling.TOO_SLOW:
        raise RequestTimeout("The body did not arrive in time; send it again.")
    if why == long_polling.TRUNCATED:
        raise Invalid("The body ended before its announced length, or its chunks cannot be read; send it again.")


def request_id_of(request: HttpRequest) -> str:
    """Return the caller's X-Request-ID when it is harmless, else a new one."""
    sent = request.META.get("HTTP_X_REQUEST_ID", "")
    return sent if REQUEST_ID.fullmatch(sent) else secrets.token_hex(16)


def refuse_bad_address(request: HttpRequest) -> None:
    """Raise Invalid for NUL in a path or query, which PostgreSQL would refuse late, and for an over-long address."""
    query = request.META.get("QUERY_STRING", "")
    if "\x00" in request.path or "%00" in query or "\x00" in query:
        raise Invalid("The address contains NUL.")
    if len(request.path) + len(query) > 8192:
        raise Invalid("The address is longer than 8 KiB.")


def is_foreign_error(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether this is an error page of Django's, HTML or text. The admin's own pages stay, people read them."""
    if response.status_code < 400 or response.headers.get("Content-Type", "").startswith(PROBLEM):
        return False
    if response.streaming or request.path.startswith("/admin"):
        return False
    return response.headers.get("Content-Type", "").startswith("text/") or not getattr(response, "content", b"")


def add_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """Set the headers of every response; Django's SecurityMiddleware adds nosniff, HSTS and the referrer policy."""
    headers = response.headers
    if response.status_code == HTTPStatus.NO_CONTENT:
        headers.pop("Content-Type", None)  # there is nothing that could have a type
    headers["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    is_page = headers.get("Content-Type", "").startswith("text/html")
    headers.setdefault("Content-Security-Policy", PAGE_POLICY if is_page else JSON_POLICY)
