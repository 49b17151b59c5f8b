"""The list of blocks by offset, as legacy clients page through it."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.trading.legacy import payloads
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
        """A page of blocks by offset, in the envelopes of the predecessor's clients."""
        asked = self.validated(OffsetSerializer, request.query_params.dict())
        newest, chain = Block.objects.newest(), origin()
        total = newest.height + 1 if newest and payloads.is_ours(asked["chain_id"], chain) else 0
        # Heights have no gaps: an offset is a height, and deep pages cost what the first one costs.
        top = total - 1 - asked["offset"]
        found = Block.objects.filter(height__lte=top, height__gt=top - asked["limit"]) if top >= 0 else []
        return self.answer(payloads.page_of("blocks", [blocks.block_row(b) for b in found], total, asked, chain))
