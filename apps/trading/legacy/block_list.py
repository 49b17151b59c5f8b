"""The list of blocks by offset, as legacy clients page through it."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.rows import write_each
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.trading.legacy.envelopes import envelope, is_this_chain
from apps.trading.legacy.serializers import BlockPageSerializer, OffsetSerializer
from apps.trading.models import Block
from apps.trading.selectors import blocks
from apps.trading.serializers.blocks import BlockSerializer
from apps.trading.services.blocks import origin


class LegacyBlockViewSet(DomainViewSet):
    """Blocks, newest first, in the envelope of legacy clients."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"offsets": PUBLIC}
    queryset = Block.objects.all()
    serializer_class = BlockSerializer

    @extend_schema(parameters=[OffsetSerializer], responses=BlockPageSerializer, filters=False)
    def offsets(self, request: Request) -> Response:
        """A page of blocks by offset, in the envelope of legacy clients."""
        query = self.validated(OffsetSerializer, request.query_params.dict())
        newest, chain = Block.objects.newest(), origin()
        total = newest.height + 1 if newest and is_this_chain(query["chain_id"], chain) else 0
        # Heights have no gaps, so an offset is a height and a deep page costs as little as the first one.
        top = total - 1 - query["offset"]
        page = Block.objects.filter(height__lte=top, height__gt=top - query["limit"]) if top >= 0 else []
        return self.answer(envelope("blocks", write_each(blocks.block_row, page), total, query, chain))
