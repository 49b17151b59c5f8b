"""A request's way through a view of this house, and the answer's way out.

The steps are those of DRF's APIView.dispatch: who asks, whether they may, how often, then the view, then errors in one
form. What DRF negotiates at each of them is settled here (keys, one parser, one renderer, one form of error), and a
request does not pay for the choice: `python -m bench doors`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework import exceptions, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from aitbc.core.errors import RateLimited, Unauthenticated, UnsupportedMedia
from aitbc.core.parsers import StrictJSONParser
from aitbc.core.problems import problem_of
from aitbc.core.renderers import FastJSONRenderer

PARSER, RENDERER = StrictJSONParser(), FastJSONRenderer()
NOBODY = api_settings.UNAUTHENTICATED_USER


class ApiRequest(Request):
    """DRF's request with its caller known beforehand, and its body read when the view asks for it."""

    user: Any = None  # type: ignore[assignment]  # a plain attribute, where DRF looks it up at first use

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


class FramedViewSet(viewsets.GenericViewSet[Any]):
    """A DRF viewset as far as routes, actions and the schema are concerned, run in the house's own frame."""

    format_kwarg = None
    metadata_class = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        """Answer one request; only what has no problem body is raised, as the bug it is."""
        self.args, self.kwargs = args, kwargs
        method = str(request.method).lower()
        action = "metadata" if method == "options" else self.action_map.get(method)
        self.action = action  # type: ignore[assignment]  # None, which permissions know: no such method here
        self.request = asked = ApiRequest(request, self)
        response: HttpResponseBase | None
        try:
            self.admit(asked)
            if method not in self.action_map:
                raise exceptions.MethodNotAllowed(method.upper())
            response = getattr(self, method)(asked, *args, **kwargs)
        except Exception as error:
            response = problem_of(error, request)
            if response is None:
                raise
        return self.sent(asked, response)

    def admit(self, asked: ApiRequest) -> None:
        """Who asks, whether they may, and how often."""
        asked.user = NOBODY()  # type: ignore[operator]
        for way in self.get_authenticators():
            if (known := way.authenticate(asked)) is not None:
                asked.user, _ = known
        for rule in self.get_permissions():
            if not rule.has_permission(asked, self):
                raise Unauthenticated("Send an API key: Authorization: Bearer <key>.")
        for limit in self.get_throttles():
            if not limit.allow_request(asked, self):
                raise RateLimited(retry_after=limit.wait())

    def sent(self, asked: ApiRequest, response: Any) -> HttpResponseBase:
        """The answer as it leaves: written, and with what its caller should know of its limits."""
        if isinstance(response, Response):
            response.accepted_renderer, response.accepted_media_type = RENDERER, RENDERER.media_type
            response.renderer_context = {}  # type: ignore[attr-defined]
            response.render()
        for name, value in asked.limit_headers.items():
            response.headers[name] = value
        if response.status_code == exceptions.MethodNotAllowed.status_code:
            response.headers["Allow"] = ", ".join(word.upper() for word in self.action_map)
        return response  # type: ignore[no-any-return]
