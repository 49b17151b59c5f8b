"""The explorer: blocks, receipts, entries. Open to everybody; receipts name owners by alias only."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.errors import Invalid
from aitbc.core.pagination import KeysetPagination, page
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.trading.errors import HashInvalid
from apps.trading.models import Block, LogEntry, Receipt
from apps.trading.selectors import explorer
from apps.trading.serializers.log import (
    BlockFilterSerializer,
    BlockPageSerializer,
    BlockRowSerializer,
    BlockSerializer,
    BundleSerializer,
    EntryRowSerializer,
    OffsetSerializer,
    ReceiptFilterSerializer,
    ReceiptOffsetSerializer,
    ReceiptPageSerializer,
    ReceiptRowSerializer,
    TransactionSerializer,
)
from apps.trading.services import blocks, receipts

HASH = re.compile(r"[0-9a-fA-F]{64}")
HEIGHT = re.compile(r"[0-9]{1,15}")
NOT_SEALED = {409: OpenApiResponse(description="Committed, but not yet in a signed block; see Retry-After.")}
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


def hash_in(text: str) -> str:
    """A hash from the path, in lower case; raises HashInvalid."""
    if not HASH.fullmatch(text):
        raise HashInvalid(f"It has {len(text)} characters." if len(text) != 64 else "It has other characters.")
    return text.lower()


class BlockViewSet(mixins.ListModelMixin, DomainViewSet):
    """The signed heads of the log, newest first."""

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(("list", "offsets", "retrieve", "entries"), PUBLIC)
    queryset = Block.objects.all()
    serializer_class = BlockSerializer
    filter_serializer = BlockFilterSerializer
    pagination_class = KeysetPagination
    ordering = ("-height",)

    def narrow(self, queryset: QuerySet[Block], filters: dict[str, Any]) -> QuerySet[Block]:
        return queryset.filter(height__lt=filters["before"]) if "before" in filters else queryset

    @extend_schema(responses=BlockRowSerializer(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A page of blocks by cursor."""
        rows, following = page(self.filter_queryset(self.get_queryset()), request, ordering=self.ordering)
        return self.answer({"items": [explorer.block_row(block) for block in rows], "next": following})

    @extend_schema(parameters=[OffsetSerializer], responses=BlockPageSerializer, filters=False)
    def offsets(self, request: Request) -> Response:
        """A page of blocks by offset, in the envelopes of the predecessor's clients."""
        asked = self.validated(OffsetSerializer, request.query_params.dict())
        newest, chain = Block.objects.newest(), blocks.origin()
        total = newest.height + 1 if newest and explorer.is_ours(asked["chain_id"], chain) else 0
        # Heights have no gaps: an offset is a height, and deep pages cost what the first one costs.
        top = total - 1 - asked["offset"]
        found = Block.objects.filter(height__lte=top, height__gt=top - asked["limit"]) if top >= 0 else []
        return self.answer(explorer.page_of("blocks", [explorer.block_row(b) for b in found], total, asked, chain))

    def retrieve(self, request: Request, block_id: str) -> Response:
        """One block, by height, by hash, or `latest`."""
        return self.answer(explorer.block_view(self.block(block_id)))

    @extend_schema(responses=EntryRowSerializer(many=True), filters=False)
    def entries(self, request: Request, block_id: str) -> Response:
        """What a block seals, in order."""
        block = self.block(block_id)
        rows, following = page(LogEntry.objects.sequenced(block.first, block.end), request, ordering=("idx",))
        return self.answer({"items": [explorer.entry_row(entry) for entry in rows], "next": following})

    def block(self, block_id: str) -> Block:
        if block_id == "latest":
            return get_object_or_404(Block.objects.order_by("-height")[:1])
        if HEIGHT.fullmatch(block_id):
            return get_object_or_404(Block, height=int(block_id))
        if HASH.fullmatch(block_id):
            return get_object_or_404(Block, hash=block_id.lower())
        raise Invalid("A block is named by its height, its hash (64 hex digits) or `latest`.")


class ReceiptViewSet(mixins.ListModelMixin, DomainViewSet):
    """Signed receipts, newest first."""

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(("list", "offsets", "retrieve", "bundle"), PUBLIC)
    queryset = Receipt.objects.all()
    serializer_class = ReceiptRowSerializer
    filter_serializer = ReceiptFilterSerializer
    pagination_class = KeysetPagination
    ordering = ("-id",)
    COLUMNS: ClassVar[dict[str, str]] = {
        "job": "job_id", "miner": "miner_id", "client": "client_alias", "from": "issued_at__gte",
    }  # fmt: skip

    def narrow(self, queryset: QuerySet[Receipt], filters: dict[str, Any]) -> QuerySet[Receipt]:
        return queryset.filter(**{self.COLUMNS[name]: value for name, value in filters.items()})

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A page of receipts by cursor."""
        rows, following = page(self.filter_queryset(self.get_queryset()), request, ordering=self.ordering)
        chain = blocks.origin()
        return self.answer({"items": [explorer.receipt_row(receipt, chain) for receipt in rows], "next": following})

    @extend_schema(parameters=[ReceiptOffsetSerializer], responses=ReceiptPageSerializer, filters=False)
    def offsets(self, request: Request) -> Response:
        """A page of receipts by offset, in the envelopes of the predecessor's clients."""
        asked = self.validated(ReceiptOffsetSerializer, request.query_params.dict())
        chain, job_id = blocks.origin(), asked.get("job_id")
        meant = explorer.is_ours(asked["chain_id"], chain) and asked.get("status", "completed") == explorer.STATUS
        found = Receipt.objects.all() if meant else Receipt.objects.none()
        found = found.filter(job_id=job_id) if job_id else found
        rows = found.order_by(*self.ordering)[asked["offset"] : asked["offset"] + asked["limit"]]
        shown = [explorer.receipt_row(receipt, chain) for receipt in rows]
        envelope = explorer.page_of("receipts", shown, found.count(), asked, chain)
        named = {"job_id": str(job_id), "jobId": str(job_id)} if job_id else {"job_id": None, "jobId": "all"}
        return self.answer({**envelope, **named})

    def retrieve(self, request: Request, pk: Any) -> Response:
        """One receipt, as it was signed."""
        return self.answer(explorer.receipt_row(self.get_object(), blocks.origin()))

    @extend_schema(responses={200: BundleSerializer, **NOT_SEALED})
    def bundle(self, request: Request, pk: Any) -> Response:
        """All that is needed to check the receipt offline; 409 until a block holds it."""
        return self.answer(receipts.bundle(self.get_object()), headers=FOREVER)


class TransactionViewSet(DomainViewSet):
    """Entries of the log by hash."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"retrieve": PUBLIC}
    queryset = LogEntry.objects.all()
    serializer_class = TransactionSerializer

    def retrieve(self, request: Request, tx_hash: str) -> Response:
        """One entry, the block that holds it, and how many blocks came since."""
        return self.answer(explorer.transaction(get_object_or_404(LogEntry, leaf_hash=hash_in(tx_hash))))
