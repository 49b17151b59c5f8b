"""The base of every viewset of the project: DRF's own, with three helpers and the project's form of errors.

`dispatch` is DRF's. What differs sits in DRF's documented hooks: `initial` refuses what the address asks in vain,
`permission_denied` and `throttled` raise errors of the project, `finalize_response` adds the rate-limit headers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn

from django.db.models import Model, QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from rest_framework import serializers, viewsets
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.errors import Invalid, RateLimited, Unauthenticated
from aitbc.core.filters import filter_values
from aitbc.core.idempotency import AbstractIdempotencyRecord, fingerprint_of, idempotent
from aitbc.core.parsers import DEFAULT_LIMIT, plain
from aitbc.core.permissions import PUBLIC, Scopes
from aitbc.core.query_parameters import is_legacy, known_parameters, refuse_others
from aitbc.core.renderers import FastJSONRenderer
from aitbc.core.rows import write_each

__all__ = ["PUBLIC", "DomainViewSet", "RequestKeyInvalid", "Scopes", "route_of"]


class RequestKeyInvalid(Invalid):
    """The Idempotency-Key header is not acceptable."""


class DomainViewSet(viewsets.GenericViewSet[Any]):
    """A DRF viewset whose actions are written out as validate → service → respond.

    `required_scopes` maps an action to the scope (or scopes) that opens it, or to PUBLIC; an action that is not named
    is closed. `deprecated` says whether the schema marks a route as legacy; None: if the view is of a `legacy` package.
    """

    required_scopes: ClassVar[Mapping[str, Scopes]] = {}
    body_limit: ClassVar[int] = DEFAULT_LIMIT
    body_limits: ClassVar[Mapping[str, int]] = {}
    filter_serializer: ClassVar[type[serializers.Serializer[Any]] | None] = None
    deprecated: bool | None = None

    @property
    def actor(self) -> Any:
        """The caller: an Actor, or Anonymous on public routes."""
        return self.request.user

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """DRF's, and then the address: whoever may not call learns nothing of it."""
        super().initial(request, *args, **kwargs)
        self.check_address(request)

    def check_address(self, request: Any) -> None:
        """Raise Http404 for a malformed id in the path, ParametersInvalid for what the query should not hold."""
        if None in self.kwargs.values():
            raise Http404
        match = getattr(request, "resolver_match", None)
        if match is None or self.action in (None, "metadata") or is_legacy(self):
            return
        if request.META.get("QUERY_STRING"):
            refuse_others(request.query_params, known_parameters(match.func, request.method))

    def get_renderers(self) -> list[BaseRenderer]:
        """OPTIONS is answered in JSON, also where an action writes its body itself."""
        return [FastJSONRenderer()] if self.action == "metadata" else super().get_renderers()

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> NoReturn:
        """401 for a caller without a key where a key would help, else DRF's 403."""
        if request.authenticators and not request.successful_authenticator:
            raise Unauthenticated("Send an API key: Authorization: Bearer <key>.")
        super().permission_denied(request, message=message, code=code)

    def throttled(self, request: Request, wait: float | None) -> NoReturn:
        """429 with Retry-After."""
        raise RateLimited(retry_after=wait)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """DRF's, and what the caller should know of its limits (throttling.py)."""
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in getattr(request, "limit_headers", {}).items():
            response.headers[name] = value
        return response

    def validated(self, serializer_class: type[serializers.BaseSerializer[Any]], data: Any = None) -> dict[str, Any]:
        """Return the body (or the given data) as this serializer reads it. Raises ValidationError (400)."""
        serializer = serializer_class(
            data=self.request.data if data is None else data, context=self.get_serializer_context()
        )
        serializer.is_valid(raise_exception=True)
        return plain(dict(serializer.validated_data))  # type: ignore[no-any-return]

    def filters(self, serializer_class: type[serializers.BaseSerializer[Any]]) -> dict[str, Any]:
        """Return the query string as this serializer reads it, without the parameters of pagination and format."""
        return self.validated(serializer_class, filter_values(self.request))

    def narrow(self, queryset: QuerySet[Any], filters: dict[str, Any]) -> QuerySet[Any]:
        """Apply validated filters; override where a filter is not simply a column."""
        return queryset.filter(**filters)

    def answer(
        self,
        obj: Any,
        status: int = 200,
        serializer: type[serializers.BaseSerializer[Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Respond with a model (or many) through its serializer; with plain dicts, lists and None as they are."""
        if serializer is not None:
            writer = serializer(obj, context=self.get_serializer_context())
            many = isinstance(obj, (list, tuple, QuerySet))
            body = write_each(writer.to_representation, obj) if many else writer.data
        elif isinstance(obj, Model):
            body = self.get_serializer(obj).data
        else:
            body = obj
        return Response(body, status=status, headers=dict(headers or {}))

    def request_key(self) -> str | None:
        """Return the Idempotency-Key: 1 to 255 printable ASCII characters, or None. Raises RequestKeyInvalid."""
        key: str | None = self.request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is not None and not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
            raise RequestKeyInvalid("It is 1 to 255 printable ASCII characters.")
        return key

    def idempotently(
        self, record: type[AbstractIdempotencyRecord], produce: Callable[[], Response], fingerprint: str | None = None
    ) -> HttpResponseBase:
        """Answer a repeated Idempotency-Key with the first response; without a key, call `produce`."""
        key = self.request_key()
        if key is None:
            return produce()
        return idempotent(
            record,
            owner_id=self.actor.pk,
            route=f"{self.request.method} {route_of(self.request)}",
            key=key,
            fingerprint=fingerprint or fingerprint_of(self.request),
            produce=produce,
        )


def route_of(request: Any) -> str:
    """Return the route's template, e.g. `ai/jobs/<pk>/cancel`: what two calls of one endpoint have in common."""
    match = getattr(request, "resolver_match", None)
    return str(match.route if match is not None else request.path)
