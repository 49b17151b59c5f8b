"""Routes of the market's status and counts; legacy paths, open to everybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.marketplace.models import MarketplaceOffer
from apps.marketplace.selectors import overview
from apps.marketplace.serializers.overview import MarketStatsSerializer, OverviewSerializer, StatusSerializer


class OverviewViewSet(DomainViewSet):
    """The market at a glance."""

    queryset = MarketplaceOffer.objects.none()
    serializer_class = OverviewSerializer
    pagination_class = None
    required_scopes: ClassVar[Mapping[str, Scopes]] = {"overview": PUBLIC, "stats": PUBLIC, "status": PUBLIC}

    @extend_schema(responses=OverviewSerializer)
    def overview(self, request: Request) -> Response:
        """How many offers, at what price, where."""
        return self.answer(overview.overview(), serializer=OverviewSerializer)

    @extend_schema(responses=MarketStatsSerializer)
    def stats(self, request: Request) -> Response:
        """Four numbers for a front page."""
        return self.answer(overview.stats(), serializer=MarketStatsSerializer)

    @extend_schema(responses=StatusSerializer)
    def status(self, request: Request) -> Response:
        """Whether the market is open, in the words of legacy clients."""
        return self.answer(overview.status(), serializer=StatusSerializer)
