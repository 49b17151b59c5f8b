"""`/v1/transactions` of the gpu and the marketplace service, and `/v1/marketplace/bids`: legacy routes.

Bare lists and lenient bodies, as its clients expect; behind them are our offers, demands and awards.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import BigIntegerField, ExpressionWrapper, F, Func, Q, QuerySet, TextField, Value
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from aitbc.core.errors import Forbidden
from aitbc.core.rows import write_each
from aitbc.core.schema import IDEMPOTENCY_KEY, MONEY, NOT_THERE, REUSED
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.marketplace.errors import OrderInvalid
from apps.marketplace.legacy import order_payloads
from apps.marketplace.legacy.serializers import orders as schemas
from apps.marketplace.models import (
    Award,
    DemandTransition,
    IdempotencyRecord,
    MarketplaceDemand,
    MarketplaceOffer,
    OfferTransition,
)
from apps.marketplace.services import orders
from apps.marketplace.services.orders import OrderTerms
from apps.marketplace.states import DemandState, OfferState

EITHER = ("client", "miner", "trader", "operator")
#: Which key may do what: who provides, who rents, and what both may.
SCOPES: dict[str, tuple[str, ...]] = {
    "offer": ("miner", "trader"), "list": ("miner", "trader"), "accept": ("miner", "trader"),
    "bid": ("client", "trader"), "cancel": EITHER, "match": EITHER,
}  # fmt: skip
SERIALIZERS: dict[str, type[BaseSerializer[Any]]] = {
    "offer": schemas.OfferOrderSerializer, "list": schemas.OfferOrderSerializer, "bid": schemas.BidOrderSerializer,
    "cancel": schemas.CancelOrderSerializer, "accept": schemas.AcceptOrderSerializer,
    "match": schemas.MatchOrderSerializer,
}  # fmt: skip


class TransactionViewSet(DomainViewSet):
    """Offers and bids of legacy clients."""

    #: Under whose prefix it is mounted, and the `type` that this service takes.
    label = "marketplace"
    kind = order_payloads.MARKETPLACE
    queryset = MarketplaceDemand.objects.all()
    serializer_class = schemas.OrderViewSerializer
    pagination_class = None
    required_scopes: ClassVar[Mapping[str, Scopes]] = {"create": EITHER, "list": PUBLIC}

    @extend_schema(
        parameters=[schemas.OrderFilterSerializer], responses=schemas.OrderViewSerializer(many=True), filters=False
    )
    def list(self, request: Request) -> Response:
        """Open offers and bids of everybody, and one's own in any state, newest first. A waiting bid is `active`."""
        query = self.validated(schemas.OrderFilterSerializer, request.query_params.dict())
        action, limit = query.get("action") or "all", query["limit"]
        items: list[dict[str, Any]] = []
        if action in ("offer", "all"):
            offers = list(self._offers(query).order_by("-created_at", "-pk")[:limit])
            times = moments(OfferTransition, offers)
            items += write_each(partial(order_payloads.offer_item, times=times), offers)
        if action in ("bid", "all"):
            demands = list(self._bids(query).order_by("-created_at", "-pk")[:limit])
            times = moments(DemandTransition, demands)
            items += write_each(partial(order_payloads.bid_item, times=times), demands)
        return self.answer(sorted(items, key=lambda item: str(item["created_at"]), reverse=True)[:limit])

    def _offers(self, query: dict[str, Any]) -> QuerySet[MarketplaceOffer]:
        mine = Q(provider_id=self.actor.pk) if self.actor.is_authenticated else Q(pk=None)
        found = MarketplaceOffer.objects.filter(mine | Q(state__in=[OfferState.OPEN, OfferState.BOOKED_OUT]))
        if query.get("status"):
            found = found.filter(state__in=order_payloads.offer_states(query["status"]))
        if "price_max" in query:
            found = found.filter(price_gpu_hour__lte=query["price_max"])
        if query.get("model"):
            found = found.filter(gpu_model__icontains=query["model"])
        if query.get("provider_node_id"):
            found = found.filter(provider_name=query["provider_node_id"])
        return common(found, query, "attributes")

    def _bids(self, query: dict[str, Any]) -> QuerySet[MarketplaceDemand]:
        mine = Q(renter_id=self.actor.pk) if self.actor.is_authenticated else Q(pk=None)
        found = MarketplaceDemand.objects.filter(mine | Q(state=DemandState.OPEN))
        if query.get("status"):
            found = found.filter(state__in=order_payloads.bid_states(query["status"]))
        if "price_max" in query:
            # budget ≤ price · GPUs, as a quotient: the product may be too large for a bigint
            per_gpu = ExpressionWrapper((F("budget_hour") - 1) / F("gpu_count"), output_field=BigIntegerField())
            found = found.alias(per_gpu=per_gpu).filter(per_gpu__lt=query["price_max"])
        if query.get("model"):
            models = Func(F("gpu_models"), Value(","), function="array_to_string", output_field=TextField())
            found = found.annotate(models=models).filter(models__icontains=query["model"])
        if query.get("provider_node_id"):
            found = found.filter(renter_name=query["provider_node_id"])
        return common(found, query, "specs")

    @extend_schema(
        request=schemas.OrderBodySerializer,
        responses={200: schemas.OrderDoneSerializer, **NOT_THERE, **MONEY},
        parameters=[IDEMPOTENCY_KEY],
    )
    def create(self, request: Request) -> HttpResponseBase:
        """offer, bid, cancel, accept, match. Totals, states and owners are the exchange's; a refusal is a 4xx."""
        return self.idempotently(IdempotencyRecord, self._create)

    def _create(self) -> Response:
        head = self.validated(schemas.ActionSerializer)
        if head["type"] != self.kind:
            raise OrderInvalid(f"This service takes transactions of type {self.kind}.", errors=[
                {"field": "type", "message": f"It must be {self.kind}."}
            ])  # fmt: skip
        if not self.actor.may(*SCOPES[head["action"]]):
            raise Forbidden(f"{head['action']} needs a key with the scope {' or '.join(SCOPES[head['action']])}.")
        data = self.validated(SERIALIZERS[head["action"]])
        item = getattr(self, f"_do_{head['action']}")(data)
        return self.answer({"status": "success", "transaction_id": item["transaction_id"], "transaction": item})

    def _do_offer(self, data: dict[str, Any]) -> dict[str, Any]:
        made = orders.offer(owner_id=self.actor.pk, actor=f"provider:{self.actor.pk}", terms=OrderTerms(**data))
        return order_payloads.offer_item(made, {})

    _do_list = _do_offer

    def _do_bid(self, data: dict[str, Any]) -> dict[str, Any]:
        made = orders.bid(owner_id=self.actor.pk, actor=f"renter:{self.actor.pk}", terms=OrderTerms(**data))
        return order_payloads.bid_item(made, {})

    def _do_cancel(self, data: dict[str, Any]) -> dict[str, Any]:
        ended = orders.cancel(owner_id=self.actor.pk, actor=f"owner:{self.actor.pk}", ref=data["order_id"])
        if isinstance(ended, MarketplaceOffer):
            return order_payloads.offer_item(ended, moments(OfferTransition, [ended]))
        return order_payloads.bid_item(ended, moments(DemandTransition, [ended]))

    def _do_accept(self, data: dict[str, Any]) -> dict[str, Any]:
        return shown(
            orders.accept(
                owner_id=self.actor.pk, actor=f"provider:{self.actor.pk}", bid_ref=data["bid_id"],
                offer_ref=data["offer_id"],
            )
        )  # fmt: skip

    def _do_match(self, data: dict[str, Any]) -> dict[str, Any]:
        return shown(
            orders.match(
                owner_id=self.actor.pk, operator=self.actor.may("operator"), actor=f"owner:{self.actor.pk}",
                bid_ref=data["bid_id"], offer_ref=data["offer_id"],
            )
        )  # fmt: skip


class LegacyBidViewSet(DomainViewSet):
    """`/v1/marketplace/bids`: what buyers would pay; our demands in the words of legacy clients."""

    queryset = MarketplaceDemand.objects.all()
    serializer_class = schemas.LegacyBidViewSerializer
    pagination_class = None
    required_scopes: ClassVar[Mapping[str, Scopes]] = {
        "list": PUBLIC, "retrieve": PUBLIC, "create": ("client", "trader"),
    }  # fmt: skip

    def get_queryset(self) -> QuerySet[MarketplaceDemand]:
        return MarketplaceDemand.objects.published()

    @extend_schema(
        parameters=[schemas.LegacyBidFilterSerializer],
        responses=schemas.LegacyBidViewSerializer(many=True),
        filters=False,
    )
    def list(self, request: Request) -> Response:
        """Bids, newest first."""
        query = self.validated(schemas.LegacyBidFilterSerializer, request.query_params.dict())
        found = self.get_queryset().order_by("-created_at", "-pk")
        if "status" in query:
            words = order_payloads.LEGACY_BID_STATUSES[query["status"]]
            found = found.filter(
                state__in=[state for state, word in order_payloads.BID_STATUSES.items() if word in words]
            )
        if "provider" in query:
            found = found.filter(renter_name=query["provider"])
        return self.answer(write_each(order_payloads.legacy_bid, found[: query["limit"]]))

    def retrieve(self, request: Request, pk: str) -> Response:
        """One bid."""
        demand = orders.find_order(self.get_queryset(), pk)
        return self.answer(order_payloads.legacy_bid(demand or get_object_or_404(MarketplaceDemand.objects.none())))

    @extend_schema(
        request=schemas.LegacyBidSerializer,
        responses={202: schemas.LegacyBidCreatedSerializer, **REUSED},
        parameters=[IDEMPOTENCY_KEY],
    )
    def create(self, request: Request) -> HttpResponseBase:
        """Bid for `capacity` GPUs at no more than `price` for each of them and hour."""
        return self.idempotently(IdempotencyRecord, self._create)

    def _create(self) -> Response:
        data = self.validated(schemas.LegacyBidSerializer)
        made = orders.bid(owner_id=self.actor.pk, actor=f"renter:{self.actor.pk}", terms=OrderTerms(**data))
        return self.answer({"id": str(made.pk)}, status=202)


def shown(award: Award) -> dict[str, Any]:
    return order_payloads.match_item(award)


def common(found: QuerySet[Any], query: dict[str, Any], column: str) -> QuerySet[Any]:
    """What offers and bids are narrowed by alike; an order of no island is in all of them."""
    if query.get("island_id"):
        here, nowhere = {f"{column}__island_id": query["island_id"]}, {f"{column}__has_key": "island_id"}
        found = found.filter(Q(**here) | ~Q(**nowhere))
    if query.get("region"):
        found = found.filter(region__iexact=query["region"])
    if "order_id" in query:
        ref = query["order_id"]
        found = found.filter(Q(external_id=ref) | Q(pk=uuid_of(ref)))
    return found


def uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def moments(history: Any, rows: list[Any]) -> dict[UUID, dict[str, datetime]]:
    """When each of these came into each of its states, in one query."""
    found: dict[UUID, dict[str, datetime]] = {}
    transitions = history.objects.filter(subject_id__in=[row.pk for row in rows]).order_by("subject_id", "seq")
    for pk, state, at in transitions.values_list("subject_id", "to_state", "at"):
        found.setdefault(pk, {})[state] = at
    return found
