"""The transparency log for monitors and auditors: heads, proofs, keys, and a check of bundles."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core import signing
from aitbc.core.errors import NotFound
from aitbc.core.parsers import plain
from aitbc.core.schema import NOT_THERE
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.trading.models import Block, LogEntry
from apps.trading.serializers.log import (
    BundleSerializer,
    ConsistencyQuerySerializer,
    ConsistencySerializer,
    InclusionQuerySerializer,
    InclusionSerializer,
    LogKeysSerializer,
    ReportSerializer,
    StatsSerializer,
)
from apps.trading.services import blocks, proofs
from apps.trading.verifier import verify_receipt
from apps.trading.views.blocks import NOT_SEALED

ACTIONS = ("checkpoint", "inclusion", "consistency", "public_key", "verify", "stats")
RECENT = 100


class LogViewSet(DomainViewSet):
    """What lets anybody check that the log only ever grows."""

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(ACTIONS, PUBLIC)
    queryset = Block.objects.all()
    pagination_class = None

    @extend_schema(responses={(200, "text/plain"): OpenApiResponse(OpenApiTypes.STR), **NOT_THERE})
    def checkpoint(self, request: Request) -> HttpResponse:
        """The newest head as a C2SP signed note."""
        newest = get_object_or_404(Block.objects.order_by("-height")[:1])
        return HttpResponse(newest.checkpoint, content_type="text/plain; charset=utf-8")

    @extend_schema(
        parameters=[InclusionQuerySerializer], responses={200: InclusionSerializer, **NOT_THERE, **NOT_SEALED}
    )
    def inclusion(self, request: Request) -> Response:
        """That an entry is in the log; 409 until a block holds it."""
        asked = self.validated(InclusionQuerySerializer, request.query_params.dict())
        try:
            proof = proofs.inclusion(size=asked.get("size"), leaf_hash=asked.get("hash"), index=asked.get("index"))
        except LogEntry.DoesNotExist:
            raise NotFound from None
        return self.answer(asdict(proof))

    @extend_schema(parameters=[ConsistencyQuerySerializer], responses=ConsistencySerializer)
    def consistency(self, request: Request) -> Response:
        """That an earlier tree is a prefix of a later one."""
        asked = self.validated(ConsistencyQuerySerializer, request.query_params.dict())
        return self.answer(asdict(proofs.consistency(first=asked["first"], second=asked.get("second"))))

    @extend_schema(responses=LogKeysSerializer)
    def public_key(self, request: Request) -> Response:
        """The log's name, its keys, and each key as C2SP tools take it."""
        origin = blocks.origin()
        verifiers = [blocks.note_verifier(origin, key.public) for key in signing.ring()]
        return self.answer({"origin": origin, **signing.published_keys(), "verifiers": verifiers})

    @extend_schema(request=BundleSerializer, responses=ReportSerializer)
    def verify(self, request: Request) -> Response:
        """Check a bundle here, for convenience: the stand-alone verifier needs no trust in us."""
        try:
            checks = verify_receipt.check(plain(request.data), signing.published_keys())
        except verify_receipt.Rejected as error:
            return self.answer({"valid": False, "checks": [], "reason": str(error)})
        return self.answer({"valid": True, "checks": checks})

    @extend_schema(responses=StatsSerializer)
    def stats(self, request: Request) -> Response:
        """The size of the log and its speed."""
        return self.answer(statistics())


def statistics() -> dict[str, Any]:
    newest = Block.objects.newest()
    waiting = LogEntry.objects.waiting().count()
    if newest is None:
        nothing = {"entries_per_second": None, "seconds_per_block": None, "sealed_at": None}
        return {"entries": 0, "waiting": waiting, "blocks": 0, **nothing, "chain_id": blocks.origin()}
    return {
        "entries": newest.tree_size,
        "waiting": waiting,
        "blocks": newest.height + 1,
        **speed(newest),
        "sealed_at": newest.header["time"],
        "chain_id": blocks.origin(newest),
    }


def speed(newest: Block) -> dict[str, float | None]:
    """Over the last hundred blocks."""
    earlier = Block.objects.get(height=max(0, newest.height - RECENT))
    seconds = (newest.sealed_at - earlier.sealed_at).total_seconds()
    if not seconds:
        return {"entries_per_second": None, "seconds_per_block": None}
    return {
        "entries_per_second": round((newest.tree_size - earlier.tree_size) / seconds, 3),
        "seconds_per_block": round(seconds / (newest.height - earlier.height), 3),
    }
