"""`/v1/transactions` of the gpu and the marketplace service, and `/v1/marketplace/bids`: the predecessor's doors.

Bare lists and lenient bodies, as its clients expect; behind them are our offers, demands and awards.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import F, Func, Q, QuerySet, TextField, Value
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from aitbc.core.errors import Forbidden
from aitbc.core.schema import IDEMPOTENCY_KEY, MONEY, NOT_THERE, REUSED
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.marketplace.errors import OrderInvalid
from apps.marketplace.legacy import order_payloads
from apps.marketplace.legacy.serializers import orders as forms
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
MAY: dict[str, tuple[str, ...]] = {
    "offer": ("miner", "trader"), "list": ("miner", "trader"), "accept": ("miner", "trader"),
    "bid": ("client", "trader"), "cancel": EITHER, "match": EITHER,
}  # fmt: skip
FORMS: dict[str, type[BaseSerializer[Any]]] = {
    "offer": forms.OfferOrderSerializer, "list": forms.OfferOrderSerializer, "bid": forms.BidOrderSerializer,
    "cancel": forms.CancelOrderSerializer, "accept": forms.AcceptOrderSerializer, "match": forms.MatchOrderSerializer,
}  # fmt: skip


class TransactionViewSet(DomainViewSet):
    """Offers and bids of the predecessor's clients."""

    #: Under whose prefix it is mounted, and the `type` that this service takes.
    label = "marketplace"
    kind = order_payloads.MARKETPLACE
    queryset = MarketplaceDemand.objects.all()
    serializer_class = forms.OrderViewSerializer
    pagination_class = None
    required_scopes: ClassVar[Mapping[str, Scopes]] = {"create": EITHER, "list": PUBLIC}

    @extend_schema(
        parameters=[forms.OrderFilterSerializer], responses=forms.OrderViewSerializer(many=True), filters=False
    )
    def list(self, request: Request) -> Response:
        """Open offers and bids of everybody, and one's own in any state, newest first. A waiting bid is `active`."""
        asked = self.validated(forms.OrderFilterSerializer, request.query_params.dict())
        action, limit = asked.get("action") or "all", asked["limit"]
        items: list[dict[str, Any]] = []
        if action in ("offer", "all"):
            offers = list(self._offers(asked).order_by("-created_at")[:limit])
            times = moments(OfferTransition, offers)
            items += [order_payloads.offer_item(offer, times) for offer in offers]
        if action in ("bid", "all"):
            demands = list(self._bids(asked).order_by("-created_at")[:limit])
            times = moments(DemandTransition, demands)
            items += [order_payloads.bid_item(demand, times) for demand in demands]
        return self.answer(sorted(items, key=lambda item: str(item["created_at"]), reverse=True)[:limit])

    def _offers(self, asked: dict[str, Any]) -> QuerySet[MarketplaceOffer]:
        mine = Q(provider_id=self.actor.pk) if self.actor.is_authenticated else Q(pk=None)
        found = MarketplaceOffer.objects.filter(mine | Q(state__in=[OfferState.OPEN, OfferState.BOOKED_OUT]))
        if asked.get("status"):
            found = found.filter(state__in=order_payloads.offer_states(asked["status"]))
        if "price_max" in asked:
            found = found.filter(price_gpu_hour__lte=asked["price_max"])
        if asked.get("model"):
            found = found.filter(gpu_model__icontains=asked["model"])
        if asked.get("provider_node_id"):
            found = found.filter(provider_name=asked["provider_node_id"])
        return common(found, asked, "attributes")

    def _bids(self, asked: dict[str, Any]) -> QuerySet[MarketplaceDemand]:
        mine = Q(renter_id=self.actor.pk) if self.actor.is_authenticated else Q(pk=None)
        found = MarketplaceDemand.objects.filter(mine | Q(state=DemandState.OPEN))
        if asked.get("status"):
            found = found.filter(state__in=order_payloads.bid_states(asked["status"]))
        if "price_max" in asked:
            found = found.filter(budget_hour__lte=asked["price_max"] * F("gpu_count"))
        if asked.get("model"):
            models = Func(F("gpu_models"), Value(","), function="array_to_string", output_field=TextField())
            found = found.annotate(models=models).filter(models__icontains=asked["model"])
        if asked.get("provider_node_id"):
            found = found.filter(renter_name=asked["provider_node_id"])
        return common(found, asked, "specs")

    @extend_schema(
        request=forms.OrderBodySerializer,
        responses={200: forms.OrderDoneSerializer, **NOT_THERE, **MONEY},
        parameters=[IDEMPOTENCY_KEY],
    )
    def create(self, request: Request) -> HttpResponseBase:
        """offer, bid, cancel, accept, match. Totals, states and owners are the exchange's; a refusal is a 4xx."""
        return self.idempotently(IdempotencyRecord, self._create)

    def _create(self) -> Response:
        head = self.validated(forms.ActionSerializer)
        if head["type"] != self.kind:
            raise OrderInvalid(f"This service takes transactions of type {self.kind}.", errors=[
                {"field": "type", "message": f"It must be {self.kind}."}
            ])  # fmt: skip
        if not self.actor.may(*MAY[head["action"]]):
            raise Forbidden(f"{head['action']} needs a key with the scope {' or '.join(MAY[head['action']])}.")
        given = self.validated(FORMS[head["action"]])
        item = getattr(self, f"_do_{head['action']}")(given)
        return self.answer({"status": "success", "transaction_id": item["transaction_id"], "transaction": item})

    def _do_offer(self, given: dict[str, Any]) -> dict[str, Any]:
        made = orders.offer(owner_id=self.actor.pk, actor=f"provider:{self.actor.pk}", terms=OrderTerms(**given))
        return order_payloads.offer_item(made, {})

    _do_list = _do_offer

    def _do_bid(self, given: dict[str, Any]) -> dict[str, Any]:
        made = orders.bid(owner_id=self.actor.pk, actor=f"renter:{self.actor.pk}", terms=OrderTerms(**given))
        return order_payloads.bid_item(made, {})

    def _do_cancel(self, given: dict[str, Any]) -> dict[str, Any]:
        ended = orders.cancel(owner_id=self.actor.pk, actor=f"owner:{self.actor.pk}", ref=given["order_id"])
        if isinstance(ended, MarketplaceOffer):
            return order_payloads.offer_item(ended, moments(OfferTransition, [ended]))
        return order_payloads.bid_item(ended, moments(DemandTransition, [ended]))

    def _do_accept(self, given: dict[str, Any]) -> dict[str, Any]:
        return shown(
            orders.accept(
                owner_id=self.actor.pk, actor=f"provider:{self.actor.pk}", bid_ref=given["bid_id"],
                offer_ref=given["offer_id"],
            )
        )  # fmt: skip

    def _do_match(self, given: dict[str, Any]) -> dict[str, Any]:
        return shown(
            orders.match(
                owner_id=self.actor.pk, operator=self.actor.may("operator"), actor=f"owner:{self.actor.pk}",
                bid_ref=given["bid_id"], offer_ref=given["offer_id"],
            )
        )  # fmt: skip


class OldBidViewSet(DomainViewSet):
    """`/v1/marketplace/bids`: what buyers would pay; our demands in the predecessor's words."""

    queryset = MarketplaceDemand.objects.all()
    serializer_class = forms.OldBidViewSerializer
    pagination_class = None
    required_scopes: ClassVar[Mapping[str, Scopes]] = {
        "list": PUBLIC, "retrieve": PUBLIC, "create": ("client", "trader"),
    }  # fmt: skip

    def get_queryset(self) -> QuerySet[MarketplaceDemand]:
        return MarketplaceDemand.objects.published()

    @extend_schema(
        parameters=[forms.OldBidFilterSerializer], responses=forms.OldBidViewSerializer(many=True), filters=False
    )
    def list(self, request: Request) -> Response:
        """Bids, newest first."""
        asked = self.validated(forms.OldBidFilterSerializer, request.query_params.dict())
        found = self.get_queryset().order_by("-created_at")
        if "status" in asked:
            words = order_payloads.OLD_BID_WORDS[asked["status"]]
            found = found.filter(state__in=[state for state, word in order_payloads.BID_WORDS.items() if word in words])
        if "provider" in asked:
            found = found.filter(renter_name=asked["provider"])
        return self.answer([order_payloads.old_bid(demand) for demand in found[: asked["limit"]]])

    def retrieve(self, request: Request, pk: str) -> Response:
        """One bid."""
        demand = orders.named(self.get_queryset(), pk)
        return self.answer(order_payloads.old_bid(demand or get_object_or_404(MarketplaceDemand.objects.none())))

    @extend_schema(
        request=forms.OldBidSerializer,
        responses={202: forms.OldBidMadeSerializer, **REUSED},
        parameters=[IDEMPOTENCY_KEY],
    )
    def create(self, request: Request) -> HttpResponseBase:
        """Bid for `capacity` GPUs at no more than `price` for each of them and hour."""
        return self.idempotently(IdempotencyRecord, self._create)

    def _create(self) -> Response:
        given = self.validated(forms.OldBidSerializer)
        made = orders.bid(owner_id=self.actor.pk, actor=f"renter:{self.actor.pk}", terms=OrderTerms(**given))
        return self.answer({"id": str(made.pk)}, status=202)


def shown(award: Award) -> dict[str, Any]:
    return order_payloads.match_item(award)


def common(found: QuerySet[Any], asked: dict[str, Any], column: str) -> QuerySet[Any]:
    """What offers and bids are narrowed by alike; an order of no island is in all of them."""
    if asked.get("island_id"):
        here, nowhere = {f"{column}__island_id": asked["island_id"]}, {f"{column}__has_key": "island_id"}
        found = found.filter(Q(**here) | ~Q(**nowhere))
    if asked.get("region"):
        found = found.filter(region__iexact=asked["region"])
    if "order_id" in asked:
        ref = asked["order_id"]
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
    moves = history.objects.filter(subject_id__in=[row.pk for row in rows]).order_by("seq")
    for pk, state, at in moves.values_list("subject_id", "to_state", "at"):
        found.setdefault(pk, {})[state] = at
    return found
