"""The transparency log over HTTP, for monitors and auditors: checkpoint, proofs, keys, size, check of bundles."""

from __future__ import annotations

from dataclasses import asdict
from typing import ClassVar

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
from apps.trading.selectors import proofs
from apps.trading.selectors.log import statistics
from apps.trading.serializers.log import (
    ConsistencyQuerySerializer,
    ConsistencySerializer,
    InclusionQuerySerializer,
    InclusionSerializer,
    LogKeysSerializer,
    ReportSerializer,
    StatsSerializer,
)
from apps.trading.serializers.receipts import BundleSerializer
from apps.trading.services import blocks
from apps.trading.verifier import verify_receipt
from apps.trading.views.receipts import NOT_SEALED

ACTIONS = ("checkpoint", "inclusion", "consistency", "public_key", "verify", "stats")


class LogViewSet(DomainViewSet):
    """Proofs that the log only grows."""

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
        """Prove that an entry is in the log; 409 until a block holds it."""
        query = self.validated(InclusionQuerySerializer, request.query_params.dict())
        try:
            proof = proofs.inclusion(size=query.get("size"), leaf_hash=query.get("hash"), index=query.get("index"))
        except LogEntry.DoesNotExist:
            raise NotFound from None
        return self.answer(asdict(proof))

    @extend_schema(parameters=[ConsistencyQuerySerializer], responses=ConsistencySerializer)
    def consistency(self, request: Request) -> Response:
        """Prove that an earlier tree is a prefix of a later one."""
        query = self.validated(ConsistencyQuerySerializer, request.query_params.dict())
        return self.answer(asdict(proofs.consistency(first=query["first"], second=query.get("second"))))

    @extend_schema(responses=LogKeysSerializer)
    def public_key(self, request: Request) -> Response:
        """The log's name, its keys, and each key as C2SP tools take it."""
        origin = blocks.origin()
        verifiers = [blocks.note_verifier(origin, key.public) for key in signing.ring()]
        return self.answer({"origin": origin, **signing.published_keys(), "verifiers": verifiers})

    @extend_schema(request=BundleSerializer, responses=ReportSerializer)
    def verify(self, request: Request) -> Response:
        """Check a bundle on the server; the stand-alone verifier does the same without trusting it."""
        try:
            checks = verify_receipt.check(plain(request.data), signing.published_keys())
        except verify_receipt.Rejected as error:
            return self.answer({"valid": False, "checks": [], "reason": str(error)})
        return self.answer({"valid": True, "checks": checks})

    @extend_schema(responses=StatsSerializer)
    def stats(self, request: Request) -> Response:
        """The size of the log and its speed."""
        return self.answer(statistics())
