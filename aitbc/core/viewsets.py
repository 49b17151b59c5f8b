"""What every viewset of the house shares: validate, answer, who asks, and doing a thing once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from django.http.response import HttpResponseBase
from rest_framework import serializers
from rest_framework.response import Response

from aitbc.core.errors import Invalid
from aitbc.core.frame import FramedViewSet
from aitbc.core.idempotency import AbstractIdempotencyRecord, fingerprint_of, idempotent
from aitbc.core.parsers import DEFAULT_LIMIT, plain
from aitbc.core.permissions import PUBLIC, Scopes

__all__ = ["PUBLIC", "DomainViewSet", "RequestKeyInvalid", "Scopes", "route_of"]


class RequestKeyInvalid(Invalid):
    """The Idempotency-Key header is not acceptable."""


class DomainViewSet(FramedViewSet):
    """A viewset with no hidden behaviour: each action is written out as validate → service → answer.

    `required_scopes` maps an action to the scope (or scopes) that opens it, or to PUBLIC; what is not named is shut.
    """

    required_scopes: ClassVar[Mapping[str, Scopes]] = {}
    body_limit: ClassVar[int] = DEFAULT_LIMIT
    body_limits: ClassVar[Mapping[str, int]] = {}
    filter_serializer: ClassVar[type[serializers.Serializer[Any]] | None] = None

    @property
    def actor(self) -> Any:
        """The caller: an Actor, or Anonymous on public routes."""
        return self.request.user

    def validated(self, serializer_class: type[serializers.BaseSerializer[Any]], data: Any = None) -> dict[str, Any]:
        """The body (or the given data) as this serializer reads it; 400 when it does not."""
        given = self.request.data if data is None else data
        read = reader(serializer_class)  # type: ignore[arg-type]  # a class is hashable, whatever its stub says
        return plain(dict(read.run_validation(given)))  # type: ignore[no-any-return]

    def filters(self, serializer_class: type[serializers.BaseSerializer[Any]]) -> dict[str, Any]:
        """The query string, read by a serializer like any other input; paging's own parameters are left out."""
        given = {name: value for name, value in self.request.query_params.items() if name not in ("cursor", "limit")}
        return self.validated(serializer_class, given)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.filter_serializer is None or getattr(self, "detail", False):
            return queryset
        return self.narrow(queryset, self.filters(self.filter_serializer))

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
        """A model (or many) through its serializer; plain dicts, lists and None as they are."""
        if serializer is not None:
            body = serializer(
                obj, many=isinstance(obj, (list, tuple, QuerySet)), context=self.get_serializer_context()
            ).data
        elif isinstance(obj, Model):
            body = self.get_serializer(obj).data
        else:
            body = obj
        return Response(body, status=status, headers=dict(headers or {}))

    def request_key(self) -> str | None:
        """The Idempotency-Key: 1 to 255 printable ASCII characters, or none."""
        key: str | None = self.request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is not None and not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
            raise RequestKeyInvalid("It is 1 to 255 printable ASCII characters.")
        return key

    def idempotently(
        self, record: type[AbstractIdempotencyRecord], produce: Callable[[], Response], fingerprint: str | None = None
    ) -> HttpResponseBase:
        """Answer a repeated Idempotency-Key with the first answer; without a key, just do it."""
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


@cache
def reader(serializer_class: type[serializers.BaseSerializer[Any]]) -> serializers.BaseSerializer[Any]:
    """The one serializer that reads this kind of input: it keeps nothing of what it reads, and is dear to make."""
    return serializer_class()


def route_of(request: Any) -> str:
    """The route's template, e.g. `ai/jobs/<pk>/cancel`: what two calls of one door have in common."""
    match = getattr(request, "resolver_match", None)
    return str(match.route if match is not None else request.path)
