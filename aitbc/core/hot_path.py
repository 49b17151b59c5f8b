"""The short way of the five endpoints that miners and clients call without pause.

Submit, heartbeat, poll, result and fail spend most of their time in what DRF and Django do for any view. `HotViewSet`
runs the actions named in its `hot_actions` without that; its other actions, and every other viewset, are plain DRF.
What a hot action does without (tests/core/test_drf_conformance.py names each):

* content negotiation, `parser_classes`, `renderer_classes`, `?format=`: the body is JSON, the response is JSON;
* versioning (`request.version` is None) and `default_response_headers` (no `Allow`, no `Vary`);
* the hooks `initialize_request`, `initial`, `handle_exception` and `finalize_response`: subclasses' overrides are not
  called;
* middleware listed below `HotPathMiddleware`: sessions, CSRF, messages, static files, and what a deployment adds there
  (put tracing above it);
* an input serializer of its own for each request: one instance per class reads all bodies, so it has no context.

Figures, both ways: docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, ResolverMatch, URLResolver, get_resolver, get_urlconf
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from aitbc.core.errors import UnsupportedMedia
from aitbc.core.parsers import StrictJSONParser, plain
from aitbc.core.problems import problem_of
from aitbc.core.renderers import FastJSONRenderer
from aitbc.core.serializers import shared
from aitbc.core.viewsets import DomainViewSet

PARSER, RENDERER = StrictJSONParser(), FastJSONRenderer()
METHOD = "POST"


class HotRequest(Request):
    """DRF's request with its caller known beforehand; the body is read when the view needs it."""

    user: Any = None  # type: ignore[assignment]  # plain attributes, where DRF looks them up at first use
    auth: Any = None
    authenticators: Any = ()  # type: ignore[assignment]
    successful_authenticator: Any = None  # type: ignore[assignment]
    version: Any = None
    versioning_scheme: Any = None

    def __init__(self, request: HttpRequest, view: Any) -> None:
        self._request, self._view = request, view
        self.META, self.method, self.path = request.META, str(request.method), request.path
        self.limit_headers: dict[str, str] = {}

    @cached_property
    def data(self) -> Any:  # type: ignore[override]
        """The body's value, strict JSON; {} when there is no body."""
        if self.META.get("CONTENT_LENGTH", "") in ("", "0"):
            return {}
        if self.content_type.partition(";")[0].strip().lower() != PARSER.media_type:
            raise UnsupportedMedia(f'Send JSON ({PARSER.media_type}), not "{self.content_type}".')
        return PARSER.parse(self._request, None, {"view": self._view, "request": self._request})


class HotViewSet(DomainViewSet):
    """A DomainViewSet whose `hot_actions`, called by POST, take the short way described above."""

    hot_actions: ClassVar[frozenset[str]] = frozenset()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        """Answer one request; an error without a problem body is raised, as the bug it is."""
        action = self.action_map.get("post")
        if request.method != METHOD or action not in self.hot_actions:
            return super().dispatch(request, *args, **kwargs)
        self.args, self.kwargs, self.action = args, kwargs, action
        self.format_kwarg = None
        self.request = hot = HotRequest(request, self)
        try:
            self.admit(hot)
            response = getattr(self, action)(hot, *args, **kwargs)
        except Exception as error:
            response = problem_of(error, request)
            if response is None:
                raise
        return respond(hot, response)

    def admit(self, request: HotRequest) -> None:
        """Authentication, permissions and throttles, in DRF's order and by the same classes; then the address."""
        request.authenticators = self.get_authenticators()
        request.user = api_settings.UNAUTHENTICATED_USER()  # type: ignore[operator]
        for authenticator in request.authenticators:
            if (found := authenticator.authenticate(request)) is not None:
                request.user, request.auth = found
                request.successful_authenticator = authenticator
                break
        request._request.user = request.user
        self.check_permissions(request)
        self.check_throttles(request)
        self.check_address(request)

    def validated(self, serializer_class: type[serializers.BaseSerializer[Any]], data: Any = None) -> dict[str, Any]:
        """As DomainViewSet's, by a serializer that is made once."""
        if not isinstance(self.request, HotRequest):
            return super().validated(serializer_class, data)
        body = self.request.data if data is None else data
        return plain(dict(shared(serializer_class).run_validation(body)))  # type: ignore[no-any-return]


def respond(request: HotRequest, response: Any) -> HttpResponseBase:
    """Render the response and add the caller's rate limits."""
    if isinstance(response, Response):
        response.accepted_renderer, response.accepted_media_type = RENDERER, RENDERER.media_type
        response.renderer_context = {}  # type: ignore[attr-defined]
        response.render()
    for name, value in request.limit_headers.items():
        response.headers[name] = value
    return response  # type: ignore[no-any-return]


class HotPathMiddleware:
    """Calls hot endpoints at once: what is listed below serves pages, and a hot request does not pay for it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.call = convert_exception_to_response(call)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        match = hot_route(get_resolver(get_urlconf()), request.path_info) if request.method == METHOD else None
        if match is None:
            return self.get_response(request)
        request.resolver_match = match
        response: Any = self.call(request)
        if not response.streaming:
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response  # type: ignore[no-any-return]


def call(request: HttpRequest) -> HttpResponseBase:
    """Return the view's response; unknown errors go on to handler500, as from any view of Django's."""
    request.get_host()  # refuses hosts that are not ours
    view, args, kwargs = request.resolver_match  # type: ignore[misc]
    response: HttpResponseBase = view(request, *args, **kwargs)
    return response


@lru_cache(maxsize=1024)
def hot_route(resolver: URLResolver, path: str) -> ResolverMatch | None:
    """Return the hot view at this path; None where another view is, or nothing."""
    try:
        match = resolver.resolve(path)
    except Resolver404:
        return None
    view: Any = match.func
    if not issubclass(getattr(view, "cls", object), HotViewSet):
        return None
    return match if view.actions.get(METHOD.lower()) in view.cls.hot_actions else None
