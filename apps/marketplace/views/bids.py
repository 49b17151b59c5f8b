"""Routes of the caller's own bids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.pagination import KeysetPagination
from aitbc.core.viewsets import DomainViewSet, Scopes
from apps.marketplace.models import MarketplaceBid
from apps.marketplace.serializers.bids import BidFilterSerializer, BidSerializer
from apps.marketplace.services import bids
from apps.marketplace.views.demands import PROVIDERS

PARTIES = ("client", "miner", "trader", "read")


class BidViewSet(mixins.ListModelMixin, DomainViewSet):
    """The caller's own bids."""

    queryset = MarketplaceBid.objects.select_related("demand")
    serializer_class = BidSerializer
    pagination_class = KeysetPagination
    filter_serializer = BidFilterSerializer
    ordering = ("-created_at",)
    required_scopes: ClassVar[Mapping[str, Scopes]] = {"list": PARTIES, "withdraw": PROVIDERS}

    def get_queryset(self) -> QuerySet[MarketplaceBid]:
        return super().get_queryset().filter(bidder_id=self.actor.pk)

    @extend_schema(request=None, responses=BidSerializer)
    def withdraw(self, request: Request, pk: UUID) -> Response:
        """Take a bid back before the auction closes; the bond goes back."""
        return self.answer(bids.withdraw(bid=self.get_object(), actor=f"provider:{self.actor.pk}"))
