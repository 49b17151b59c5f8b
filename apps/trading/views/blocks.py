"""Blocks over HTTP, open to everybody."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.errors import Invalid
from aitbc.core.pagination import KeysetPagination, page
from aitbc.core.rows import write_each
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.trading.models import Block, LogEntry
from apps.trading.selectors import blocks, transactions
from apps.trading.serializers.blocks import BlockFilterSerializer, BlockRowSerializer, BlockSerializer
from apps.trading.serializers.log import HASH
from apps.trading.serializers.transactions import EntryRowSerializer

HEIGHT = re.compile(r"[0-9]{1,15}")


class BlockViewSet(mixins.ListModelMixin, DomainViewSet):
    """The signed heads of the log, newest first."""

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(("list", "retrieve", "entries"), PUBLIC)
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
        return self.answer({"items": write_each(blocks.block_row, rows), "next": following})

    def retrieve(self, request: Request, block_id: str) -> Response:
        """One block, by height, by hash, or `latest`."""
        return self.answer(blocks.block_view(self.block(block_id)))

    @extend_schema(responses=EntryRowSerializer(many=True), filters=False)
    def entries(self, request: Request, block_id: str) -> Response:
        """The entries that a block seals, in order."""
        block = self.block(block_id)
        rows, following = page(LogEntry.objects.sequenced(block.first, block.end), request, ordering=("idx",))
        return self.answer({"items": write_each(transactions.entry_row, rows), "next": following})

    def block(self, block_id: str) -> Block:
        """The block of this height or hash, or the newest for `latest`. Raises Invalid, Http404."""
        if block_id == "latest":
            return get_object_or_404(Block.objects.order_by("-height")[:1])
        if HEIGHT.fullmatch(block_id):
            return get_object_or_404(Block, height=int(block_id))
        if HASH.fullmatch(block_id):
            return get_object_or_404(Block, hash=block_id.lower())
        raise Invalid("A block is named by its height, its hash (64 hex digits) or `latest`.")
