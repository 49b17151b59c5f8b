"""Doing a thing once: the record commits in the same transaction as the effect, in the effect's own database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from decimal import Context, Decimal
from typing import Any
from uuid import UUID

import orjson
from django.db import models
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.response import Response

from aitbc.core.db import atomic, cursor
from aitbc.core.errors import Conflict, DomainError
from aitbc.core.ids import uuid7
from aitbc.core.locks import lock_key
from aitbc.core.parsers import MAX_NUMERAL
from aitbc.core.renderers import FastJSONRenderer
from aitbc.core.serializers import exact

EXACTLY = Context(prec=MAX_NUMERAL)  # as many digits as a number of a body may have


class IdempotencyMismatch(DomainError):
    """This Idempotency-Key was used with another request."""

    status = 422


class IdempotencyInFlight(Conflict):
    """A request with this Idempotency-Key is still being carried out."""

    retry_after = 1.0


class AbstractIdempotencyRecord(models.Model):
    """The answer that an (owner, route, key) was given, and a hash of what it was given for."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner_id = models.UUIDField(editable=False)
    route = models.CharField(max_length=200, editable=False)
    key = models.CharField(max_length=255, editable=False)
    fingerprint = models.CharField(max_length=64, editable=False)
    status = models.PositiveSmallIntegerField(editable=False)
    body = models.TextField(editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(name="%(app_label)s_%(class)s_once", fields=["owner_id", "route", "key"]),
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"


def idempotent(
    record: type[AbstractIdempotencyRecord],
    *,
    owner_id: UUID,
    route: str,
    key: str,
    fingerprint: str,
    produce: Callable[[], Response],
) -> HttpResponse:
    """Carry out `produce` once per (owner, route, key); an error rolls back with its record and may be tried again."""
    named = {"owner_id": owner_id, "route": route[:200], "key": key}
    with atomic(record):
        # Two statements, lock first: the second one's snapshot must see what the previous holder committed.
        if not _locked(record, "\n".join(map(str, named.values()))):
            raise IdempotencyInFlight()
        done = record._default_manager.filter(**named).first()
        if done is not None:
            if done.fingerprint != fingerprint:
                raise IdempotencyMismatch()
            return _stated(done.status, done.body, replayed=True)
        response = produce()
        body = _rendered(response)
        record._default_manager.create(**named, fingerprint=fingerprint, status=response.status_code, body=body)
    return _stated(response.status_code, body, headers=dict(response.headers))


def fingerprint_of(request: Any) -> str:
    """A hash of the method, path and body's value; how the JSON is spaced, ordered or numbers are written is no matter.

    0.5 and 0.50 are one number; "0.5" is a text.
    """
    body = orjson.dumps(_canonical(request.data), default=str, option=orjson.OPT_SORT_KEYS)
    what = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(what + body).hexdigest()


def _canonical(value: Any) -> Any:
    """The same value with each number written in its one shortest form, exactly."""
    if isinstance(value, dict):
        return {name: _canonical(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_canonical(inner) for inner in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = Decimal(exact(value)).normalize(EXACTLY)
        return orjson.Fragment(str(number if number else Decimal(0)))
    return value


def purge(record: type[AbstractIdempotencyRecord], *, before: datetime, limit: int = 10_000) -> int:
    """Forget answers older than any client's retry (48 h is the least)."""
    with atomic(record):
        expired = (
            record._default_manager.filter(created_at__lt=before).order_by("created_at", "pk").values("pk")[:limit]
        )
        deleted, _ = record._default_manager.filter(pk__in=list(expired.values_list("pk", flat=True))).delete()
    return deleted


def _locked(record: type[AbstractIdempotencyRecord], name: str) -> bool:
    with cursor(record) as sql:
        sql.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock_key(name)])
        return bool(sql.fetchone()[0])


def _rendered(response: Response) -> str:
    if response.data is None and response.status_code == 204:
        return ""
    rendered: bytes = FastJSONRenderer().render(response.data)
    return rendered.decode()


def _stated(status: int, body: str, *, headers: dict[str, str] | None = None, replayed: bool = False) -> HttpResponse:
    answer = HttpResponse(body, status=status, headers={**(headers or {}), "Content-Type": "application/json"})
    if replayed:
        answer["Idempotency-Replayed"] = "true"
    return answer
