"""The edge: what happens to every request and every answer, whatever view they meet."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import structlog
from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, ResolverMatch, URLResolver, get_resolver, get_urlconf

from aitbc.core import metrics, problems
from aitbc.core.errors import DomainError, Invalid
from aitbc.core.frame import FramedViewSet
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
logger = logging.getLogger("aitbc.edge")


class Edge:
    """Request id, refusals that need no view, errors in one form, headers, one measurement.

    What lies behind it (sessions, CSRF, messages, static files) serves pages. The API has none of that: its views are
    called from here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_page = get_response
        self.call_api = convert_exception_to_response(self.call)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        request.request_id = request_id_of(request)  # type: ignore[attr-defined]
        structlog.contextvars.bind_contextvars(request_id=request.request_id)  # type: ignore[attr-defined]
        try:
            response = self.refusal(request) or self.get_response(request)
            if is_foreign_error(request, response):
                response = problems.restated(request, response)  # type: ignore[arg-type]
            dress(request, response)
            metrics.observe(request, response.status_code, time.perf_counter() - started)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")
        return response

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        match = api_route(get_resolver(get_urlconf()), request.path_info)
        if match is None:
            return self.get_page(request)
        request.resolver_match = match
        response: Any = self.call_api(request)
        if not response.streaming:
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response  # type: ignore[no-any-return]

    def call(self, request: HttpRequest) -> HttpResponseBase:
        """The view's answer; unknown errors go on to handler500, as from any view of Django's."""
        request.get_host()  # refuses hosts that are not ours
        view, args, kwargs = request.resolver_match  # type: ignore[misc]
        response: HttpResponseBase = view(request, *args, **kwargs)
        return response

    def refusal(self, request: HttpRequest) -> HttpResponseBase | None:
        try:
            refuse_encoded(request)
            refuse_bad_address(request)
        except DomainError as error:
            return problems.problem_of(error, request)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Errors of plain Django views; unknown ones go on to handler500 (and to the log)."""
        answer = problems.problem_of(error, request)
        if answer is None and settings.DEBUG:
            logger.exception("unhandled error", exc_info=error)
            return problems.server_error(request)
        return answer


@lru_cache(maxsize=1024)
def api_route(resolver: URLResolver, path: str) -> ResolverMatch | None:
    """The API's view at this path; None where a page is, or nothing."""
    try:
        match = resolver.resolve(path)
    except Resolver404:
        return None
    return match if issubclass(getattr(match.func, "cls", object), FramedViewSet) else None


def request_id_of(request: HttpRequest) -> str:
    """The caller's X-Request-ID when it is harmless, else a new one."""
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    return given if REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def refuse_bad_address(request: HttpRequest) -> None:
    """NUL has no meaning in a path or query and PostgreSQL refuses it late; an over-long address is refused early."""
    query = request.META.get("QUERY_STRING", "")
    if "\x00" in request.path or "%00" in query or "\x00" in query:
        raise Invalid("The address contains NUL.")
    if len(request.path) + len(query) > 8192:
        raise Invalid("The address is longer than 8 KiB.")


def is_foreign_error(request: HttpRequest, response: HttpResponseBase) -> bool:
    """An error page that is not ours: Django's HTML or text. The admin's own pages stay, people read them."""
    if response.status_code < 400 or response.headers.get("Content-Type", "").startswith(PROBLEM):
        return False
    if response.streaming or request.path.startswith("/admin"):
        return False
    return response.headers.get("Content-Type", "").startswith("text/") or not getattr(response, "content", b"")


def dress(request: HttpRequest, response: HttpResponseBase) -> None:
    """The headers of every answer; Django's SecurityMiddleware adds nosniff, HSTS and the referrer policy."""
    headers = response.headers
    if response.status_code == HTTPStatus.NO_CONTENT:
        headers.pop("Content-Type", None)  # there is nothing that could have a type
    headers["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    is_page = headers.get("Content-Type", "").startswith("text/html")
    headers.setdefault("Content-Security-Policy", PAGE_POLICY if is_page else JSON_POLICY)
