"""The market at a glance, on the predecessor's routes; open to everybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.marketplace.models import MarketplaceOffer
from apps.marketplace.selectors import overview


class OverviewSerializer(serializers.Serializer[Any]):
    """Offers by number, price, region and kind."""

    status = serializers.CharField()
    total_offers = serializers.IntegerField(help_text="Listed: open, or booked out for now.")
    active_offers = serializers.IntegerField(help_text="Open and rentable.")
    average_price_per_hour = serializers.FloatField(allow_null=True, help_text="AIT per GPU, over active offers.")
    regions = serializers.ListField(child=serializers.CharField())
    service_types = serializers.ListField(child=serializers.CharField())
    timestamp = serializers.DateTimeField()


class MarketStatsSerializer(serializers.Serializer[Any]):
    """Four figures for a front page."""

    totalOffers = serializers.IntegerField()
    openCapacity = serializers.IntegerField(help_text="GPUs in open, rentable offers.")
    averagePrice = serializers.FloatField(help_text="AIT per GPU and hour, four places.")
    activeBids = serializers.IntegerField(help_text="Open demands.")


class StatusSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()
    service = serializers.CharField()
    message = serializers.CharField()


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
        """Four figures for a front page."""
        return self.answer(overview.stats(), serializer=MarketStatsSerializer)

    @extend_schema(responses=StatusSerializer)
    def status(self, request: Request) -> Response:
        """Whether the market is open, in the predecessor's words."""
        return self.answer(overview.status(), serializer=StatusSerializer)
