"""Routes of demands: publish, cancel, read the bids and the award, choose a bid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.errors import Invalid
from aitbc.core.pagination import KeysetPagination, page
from aitbc.core.schema import IDEMPOTENCY_KEY, MONEY, REUSED
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.marketplace.models import Award, IdempotencyRecord, MarketplaceBid, MarketplaceDemand, MarketplaceOffer
from apps.marketplace.selectors import clock
from apps.marketplace.serializers.awards import AwardInputSerializer, AwardSerializer
from apps.marketplace.serializers.bids import BidInputSerializer, BidSerializer
from apps.marketplace.serializers.demands import (
    DemandDetailSerializer,
    DemandFilterSerializer,
    DemandInputSerializer,
    DemandReasonSerializer,
    DemandSerializer,
)
from apps.marketplace.services import auction_clearing, bids, demands
from apps.marketplace.states import DemandState

RENTERS, PROVIDERS = ("client", "trader"), ("miner", "trader")


class DemandViewSet(mixins.ListModelMixin, DomainViewSet):
    """What renters want. Everybody sees what is published; drafts are their renter's."""

    queryset = MarketplaceDemand.objects.all()
    lookup_value_converter = "id"
    serializer_class = DemandSerializer
    pagination_class = KeysetPagination
    filter_serializer = DemandFilterSerializer
    ordering = ("-created_at",)
    required_scopes: ClassVar[Mapping[str, Scopes]] = {
        "create": RENTERS, "list": PUBLIC, "retrieve": PUBLIC, "publish": RENTERS, "cancel": RENTERS,
        "award": PUBLIC, "choose": RENTERS, "bids": PUBLIC, "bid": PROVIDERS,
    }  # fmt: skip

    def narrow(self, queryset: QuerySet[MarketplaceDemand], filters: dict[str, Any]) -> QuerySet[MarketplaceDemand]:
        if filters.pop("mine"):
            if not self.actor.is_authenticated:
                raise Invalid("`mine` needs a key.", errors=[{"field": "mine", "message": "It needs a key."}])
            return queryset.filter(renter_id=self.actor.pk, **filters)
        public = MarketplaceDemand.objects.published()
        listed = public if filters.get("state") else public.taking_bids(clock.now())
        return listed.filter(**filters)

    @extend_schema(
        request=DemandInputSerializer, responses={201: DemandSerializer, **REUSED}, parameters=[IDEMPOTENCY_KEY]
    )
    def create(self, request: Request) -> HttpResponseBase:
        """Ask for GPUs: with `closes_at` an auction, without it a demand that stands; a draft takes no bids yet."""
        return self.idempotently(IdempotencyRecord, self._create)

    def _create(self) -> Response:
        terms = self.validated(DemandInputSerializer)
        publish = not terms.pop("draft")
        made = demands.create(renter_id=self.actor.pk, actor=self._who(), publish=publish, **terms)
        return self.answer(made, status=201)

    @extend_schema(responses=DemandDetailSerializer)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """One demand; an auction whose time is over is cleared first."""
        return self.answer(auction_clearing.current(self._visible(pk)), serializer=DemandDetailSerializer)

    @extend_schema(request=None, responses=DemandSerializer)
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, pk: UUID) -> Response:
        """Open a draft to bids; its weights and terms are frozen from then on."""
        return self.answer(demands.publish(demand=self._own(pk), actor=self._who()))

    @extend_schema(request=DemandReasonSerializer, responses=DemandSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        """Take it back, as long as no bid has won; bonds go back."""
        reason = self.validated(DemandReasonSerializer)["reason"]
        return self.answer(demands.cancel(demand=self._own(pk), actor=self._who(), reason=reason))

    @extend_schema(responses=AwardSerializer)
    @action(detail=True)
    def award(self, request: Request, pk: UUID) -> Response:
        """The award and its proof, for everybody: recompute it with `manage.py market verify-award`."""
        demand = auction_clearing.current(self._visible(pk))
        found = get_object_or_404(Award.objects.select_related("bid", "demand"), demand=demand)
        return self.answer(found, serializer=AwardSerializer)

    @extend_schema(
        request=AwardInputSerializer, responses={200: AwardSerializer, **MONEY}, parameters=[IDEMPOTENCY_KEY]
    )
    @award.mapping.post
    def choose(self, request: Request, pk: UUID) -> HttpResponseBase:
        """Take one of the bids for its own price now; the booking is made in the same moment."""
        return self.idempotently(IdempotencyRecord, lambda: self._choose(pk))

    def _choose(self, pk: UUID) -> Response:
        bid_id = self.validated(AwardInputSerializer)["bid_id"]
        made = auction_clearing.award_by_hand(demand=self._own(pk), bid_id=bid_id, actor=self._who())
        return self.answer(made, serializer=AwardSerializer)

    @extend_schema(responses=BidSerializer(many=True), filters=False)
    @action(detail=True)
    def bids(self, request: Request, pk: UUID) -> Response:
        """The bids on a demand, newest first: prices, cards and scores for everybody, bidders by alias."""
        demand = auction_clearing.current(self._visible(pk))
        rows, following = page(demand.bids.select_related("demand"), request, ordering=("-created_at",))
        return self.answer({"items": self._shown(rows), "next": following})

    @extend_schema(request=BidInputSerializer, responses={201: BidSerializer, **MONEY}, parameters=[IDEMPOTENCY_KEY])
    @bids.mapping.post
    def bid(self, request: Request, pk: UUID) -> HttpResponseBase:
        """Bid with one of your offers; pending until the bond is set aside, a moment later open or rejected."""
        return self.idempotently(IdempotencyRecord, lambda: self._bid(pk))

    def _bid(self, pk: UUID) -> Response:
        requested = self.validated(BidInputSerializer)
        demand = auction_clearing.current(self._visible(pk))
        offer = get_object_or_404(MarketplaceOffer.objects.owned_by(self.actor.pk), pk=requested.pop("offer_id"))
        made = bids.place(demand_id=demand.pk, offer=offer, bidder_id=self.actor.pk, actor=self._who(), **requested)
        return self.answer(made, status=201, serializer=BidSerializer)

    def _shown(self, rows: list[MarketplaceBid]) -> Any:
        return BidSerializer(rows, many=True, context=self.get_serializer_context()).data

    def _visible(self, pk: UUID) -> MarketplaceDemand:
        demand = get_object_or_404(MarketplaceDemand, pk=pk)
        hidden = demand.state == DemandState.DRAFT and demand.renter_id != self.actor.pk
        return get_object_or_404(MarketplaceDemand.objects.none()) if hidden else demand

    def _own(self, pk: UUID) -> MarketplaceDemand:
        return get_object_or_404(MarketplaceDemand.objects.of_renter(self.actor.pk), pk=pk)

    def _who(self) -> str:
        return f"renter:{self.actor.pk}" if self.action != "bid" else f"provider:{self.actor.pk}"
