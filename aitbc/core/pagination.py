"""Lists by keyset: a signed cursor says where the last page ended, for this list and this caller only."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.signing import BadSignature, Signer
from django.db.models import Model, Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.response import Response

from aitbc.core.errors import Invalid
from aitbc.core.postgres.loaders import EXTREMES

DEFAULT = 50
LARGEST = 200
PARAMETERS = ("cursor", "limit")


class LimitInvalid(Invalid):
    """The page size is not acceptable."""


class CursorInvalid(Invalid):
    """The cursor does not belong to this list."""


class KeysetPagination(BasePagination):
    """`?limit=1…200&cursor=…` → {"items": […], "next": cursor or null}; constant cost at any depth."""

    next_cursor: str | None = None

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        rows, self.next_cursor = page(queryset, request, ordering=getattr(view, "ordering", None))
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"items": data, "next": self.next_cursor})

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["items", "next"],
            "properties": {
                "items": schema,
                "next": {"type": ["string", "null"], "description": "Send as ?cursor= for the next page."},
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": LARGEST, "default": DEFAULT}
        return [
            {"name": "limit", "in": "query", "required": False, "schema": limit},
            {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}},
        ]


def page(
    queryset: QuerySet[Any], request: Any, *, ordering: tuple[str, ...] | None = None
) -> tuple[list[Any], str | None]:
    """One page of rows and the cursor of the next one."""
    limit = limit_of(request)
    order = _complete(
        ordering or tuple(queryset.query.order_by) or tuple(queryset.model._meta.ordering), queryset.model
    )
    bound = _bound(request, order)
    cursor = request.query_params.get("cursor")
    if cursor is not None:
        queryset = queryset.filter(_after(order, _opened(cursor, bound, order, queryset.model)))
    rows = list(queryset.order_by(*order)[: limit + 1])
    if len(rows) <= limit or _is_extreme(rows[limit - 1], order[0]):
        return rows[:limit], None
    return rows[:limit], _sealed(rows[limit - 1], order, bound)


def _is_extreme(row: Any, term: str) -> bool:
    """Whether no cursor leads past this row: its time stands for all those beyond (core/postgres/loaders.py)."""
    name = term.lstrip("-")
    least, greatest = EXTREMES["timestamptz"]
    value = row[name] if isinstance(row, dict) else getattr(row, name)
    return bool(value == (greatest if name == term else least))


def limit_of(request: Any, *, default: int = DEFAULT, largest: int = LARGEST) -> int:
    """The page size asked for; outside 1…largest is an error, never silently less."""
    text = request.query_params.get("limit")
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= largest):
        message = f"A whole number from 1 to {largest}."
        raise LimitInvalid(f"limit: {message}", errors=[{"field": "limit", "message": message}])
    return int(text)


def _complete(order: tuple[Any, ...], model: type[Model]) -> tuple[str, ...]:
    """The order, made total by the primary key in the direction of the last term."""
    names = [str(name) for name in order] or ["-pk"]
    key = model._meta.pk.name  # type: ignore[union-attr]
    names = [name.replace("pk", key) if name.lstrip("-") == "pk" else name for name in names]
    if names[-1].lstrip("-") != key:
        names.append(f"-{key}" if names[-1].startswith("-") else key)
    return tuple(names)


def _after(order: tuple[str, ...], values: list[Any]) -> Q:
    """Rows strictly behind these values: (a < x) or (a = x and b < y)…, and a plain bound on `a` for the index."""
    behind, same = Q(), Q()
    for name, value in zip(order, values, strict=True):
        field, sign = name.lstrip("-"), "lt" if name.startswith("-") else "gt"
        behind |= same & Q(**{f"{field}__{sign}": value})
        same &= Q(**{field: value})
    first = order[0].lstrip("-")
    return Q(**{f"{first}__{'lte' if order[0].startswith('-') else 'gte'}": values[0]}) & behind


def _bound(request: Any, order: tuple[str, ...]) -> str:
    filters = sorted((name, value) for name, value in request.query_params.items() if name not in PARAMETERS)
    what = orjson.dumps([request.path, filters, order, str(getattr(request.user, "pk", None))])
    return hashlib.sha256(what).hexdigest()[:16]


def sealed(values: list[Any], bound: str) -> str:
    """A signed cursor that says where a page ended, in the list that `bound` names."""
    body = base64.urlsafe_b64encode(orjson.dumps([bound, *values], default=str)).decode().rstrip("=")
    return Signer(salt="aitbc.paging").sign(body)


def unsealed(cursor: str, bound: str, count: int) -> list[Any]:
    """The values in a cursor of this very list; CursorInvalid otherwise."""
    try:
        body = Signer(salt="aitbc.paging").unsign(cursor)
        mark, *values = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (BadSignature, binascii.Error, ValueError) as error:
        raise CursorInvalid() from error
    if mark != bound or len(values) != count:
        raise CursorInvalid("It was made for another filter, order or caller.")
    return list(values)


def _sealed(row: Any, order: tuple[str, ...], bound: str) -> str:
    names = [name.lstrip("-") for name in order]
    return sealed([row[name] if isinstance(row, dict) else getattr(row, name) for name in names], bound)


def _opened(cursor: str, bound: str, order: tuple[str, ...], model: type[Model]) -> list[Any]:
    values = unsealed(cursor, bound, len(order))
    try:
        return [_typed(model, name.lstrip("-"), value) for name, value in zip(order, values, strict=True)]
    except (ValueError, ValidationError) as error:
        raise CursorInvalid() from error


def _typed(model: type[Model], name: str, value: Any) -> Any:
    try:
        return model._meta.get_field(name).to_python(value)  # type: ignore[union-attr]
    except FieldDoesNotExist:
        return value  # an annotation: JSON's own types will do
