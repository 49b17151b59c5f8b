"""The registry's doors: cards, the catalogue of models, figures, scans, and how the whole domain fares."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.errors import Invalid
from aitbc.core.long_polling import hold, is_replay
from aitbc.core.pagination import KeysetPagination
from aitbc.core.parsers import plain
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.gpu.errors import GpuNotFound, OrderNotFound, ScanFailed
from apps.gpu.logic.capabilities import Gpu, normalise
from apps.gpu.models import ConsumerGPUProfile, GPURegistry, GPUTransition, Miner, MinerOrder
from apps.gpu.serializers.gpus import (
    CardChangedSerializer,
    CardChangeSerializer,
    CardDetailSerializer,
    CardFilterSerializer,
    CardRegisterSerializer,
    CardSerializer,
    DiscoveredSerializer,
    GpuProfileSerializer,
    GpuReasonSerializer,
    GpuStatusSerializer,
    MetricsAskedSerializer,
    MetricsSerializer,
    MinerOrderSerializer,
    MoveSerializer,
    OrderAnswerSerializer,
    OrderTakenSerializer,
    ProfileFilterSerializer,
    ScanAskedSerializer,
    ScanSerializer,
)
from apps.gpu.services import catalogue, gpus, miner_commands, miners, status, uuid_disputes
from apps.gpu.states import OrderState
from apps.gpu.views.miner_protocol import IDENTITY, MINER, MinerIdentity
from apps.marketplace import interface as marketplace

READERS: Scopes = ("miner", "client", "trader", "operator", "read")
OWNERS: Scopes = ("miner", "operator")
FIRST = ("model", "memory_gb", "driver")


class CardIdentity(MinerIdentity):
    """Which card is meant, and who may see it: its owner, whoever has it in a booking now, and operators."""

    def card(self, named: str, *, own: bool = False) -> GPURegistry:
        """The card with this id (ours, or its owner's); GpuNotFound when it is not the caller's to see (or change)."""
        rows = GPURegistry.objects.select_related("miner", "profile")
        if not self.actor.may("operator"):
            rows = rows.owned_by(self.actor.pk) if own else rows.visible_to(self.actor.pk)
        pk = _uuid_or_none(named)
        mine = Q(external_id=named, owner_id=self.actor.pk) if "\x00" not in named else Q(pk=None)
        found = rows.filter(mine | Q(pk=pk) if pk else mine).first()
        if found is None:
            raise GpuNotFound()
        return found

    def known_as(self) -> str:
        return f"key:{self.actor.key_prefix}"


class CardViewSet(mixins.ListModelMixin, CardIdentity):
    """Cards of the caller, and those it has in a booking; an operator sees everybody's."""

    required_scopes: ClassVar[dict[str, Scopes]] = {
        **dict.fromkeys(("list", "retrieve", "discover", "history"), READERS),
        **dict.fromkeys(("register", "update", "destroy"), OWNERS),
        "release": "operator",
    }
    queryset = GPURegistry.objects.select_related("miner", "profile")
    serializer_class = CardSerializer
    filter_serializer = CardFilterSerializer
    pagination_class = KeysetPagination
    ordering = ("-created_at", "-id")

    def get_queryset(self) -> QuerySet[GPURegistry]:
        rows = super().get_queryset()
        return rows if self.actor.may("operator") else rows.visible_to(self.actor.pk)

    def narrow(self, queryset: QuerySet[Any], filters: dict[str, Any]) -> QuerySet[Any]:
        terms = Q()
        for name, column in (("state", "state"), ("device", "kind")):
            if name in filters:
                terms &= Q(**{column: filters[name]})
        if "miner_id" in filters:
            pk = _uuid_or_none(filters["miner_id"])
            terms &= Q(miner__name=filters["miner_id"]) | (Q(miner_id=pk) if pk else Q(pk=None))
        if "model" in filters:
            terms &= Q(name__icontains=filters["model"]) | Q(profile__model__icontains=filters["model"])
        if "min_memory_gb" in filters:
            terms &= Q(memory_mb__gte=filters["min_memory_gb"] * 1024)
        if "verified" in filters:
            proven = Q(verified_at__isnull=False) & ~Q(state="quarantined")
            terms &= proven if filters["verified"] else ~proven
        return queryset.filter(terms)

    @extend_schema(responses=CardDetailSerializer)
    def retrieve(self, request: Request, gpu: str) -> Response:
        """One card, by our id or its owner's."""
        card = self.card(gpu)
        rating = marketplace.rating_of(card.pk)
        shown = CardSerializer(card).data
        return self.answer({**shown, "average_rating": rating.average, "total_reviews": rating.count})

    @extend_schema(responses=DiscoveredSerializer, parameters=IDENTITY, filters=False)
    def discover(self, request: Request) -> Response:
        """The cards that the caller's miner reported."""
        caller = self.caller()
        cards = GPURegistry.objects.select_related("miner", "profile").owned_by(self.actor.pk).present()
        if caller.named is not None:
            cards = cards.of_miner(miners.get(caller).pk)
        shown = CardSerializer(cards.order_by("miner_id", "position")[:256], many=True).data
        first = {}
        if shown:
            card = shown[0]
            capability = card["details"].get("compute_capability")
            first = {"model": card["model"], "memory_gb": card["memory_gb"], "cuda_version": card["driver"]}
            first |= {"compute_capability": str(capability)} if capability else {}
        return self.answer({**first, "gpus": shown})

    @extend_schema(request=CardRegisterSerializer, responses=CardChangedSerializer, parameters=IDENTITY)
    def register(self, request: Request) -> Response:
        """Register a card by hand; the same gpu_id again changes it. What its miner reports about it wins."""
        body = self.body()
        data = self.validated(CardRegisterSerializer, body)
        told = _told({**body, **(data["specs"] if isinstance(data.get("specs"), dict) else {})})
        caller = self.caller(body)
        miner = miners.find(caller) or miners.register(caller, region=data.get("region") or "")
        card = gpus.register(
            miner,
            told,
            external_id=data.get("gpu_id") or "",
            price_per_hour=data.get("price_per_hour"),
            actor=self.known_as(),
        )
        shown = CardSerializer(card).data
        return self.answer({**shown, "status": "registered", "message": f"Registered; it is {card.state}."})

    @extend_schema(request=CardChangeSerializer, responses=CardChangedSerializer)
    def update(self, request: Request, gpu: str) -> Response:
        """Change the price a card asks, or take it off the market and put it back."""
        data = self.validated(CardChangeSerializer, self.body())
        if not data:
            raise Invalid("Send price_per_hour, status, or both.")
        card = gpus.change(
            self.card(gpu, own=True),
            actor=self.known_as(),
            price_per_hour=data.get("price_per_hour"),
            on=gpus.on_the_market(data["status"]) if "status" in data else None,
        )
        return self.answer({**CardSerializer(card).data, "message": f"Changed; it is {card.state}."})

    @extend_schema(responses={200: CardChangedSerializer})
    def destroy(self, request: Request, gpu: str) -> Response:
        """Retire a card; 409 while a booking needs it."""
        card = gpus.retire(self.card(gpu, own=True), actor=self.known_as())
        return self.answer({**CardSerializer(card).data, "message": "Retired."})

    @extend_schema(responses=MoveSerializer(many=True), filters=False)
    def history(self, request: Request, gpu: str) -> Response:
        """How a card came to its state: every move, newest first (at most 200)."""
        moves = GPUTransition.objects.filter(subject_id=self.card(gpu).pk).order_by("-seq")[:200]
        return self.answer(moves, serializer=MoveSerializer)

    @extend_schema(request=GpuReasonSerializer, responses=CardChangedSerializer)
    def release(self, request: Request, gpu: str) -> Response:
        """Believe a card in quarantine (operators only), with the reason."""
        data = self.validated(GpuReasonSerializer)
        card = uuid_disputes.release(self.card(gpu), reason=data["reason"], actor=self.known_as())
        return self.answer({**CardSerializer(card).data, "message": f"Released; it is {card.state}."})


class EdgeGpuViewSet(CardIdentity):
    """The seed's edge-gpu routes: models, figures, scans."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"profiles": PUBLIC, "metrics": READERS, "scan": OWNERS}
    pagination_class = None

    @extend_schema(responses=GpuProfileSerializer(many=True), parameters=[ProfileFilterSerializer])
    def profiles(self, request: Request) -> Response:
        """The models of card that the exchange knows, by vendor and model."""
        asked = self.filters(ProfileFilterSerializer)
        return self.answer(_profiles(asked), serializer=GpuProfileSerializer)

    @extend_schema(responses=MetricsSerializer(many=True), parameters=[MetricsAskedSerializer])
    def metrics(self, request: Request, gpu: str) -> Response:
        """How a card fared, newest first, at most a row a minute. For its owner, and its renter while it is booked."""
        asked = self.validated(MetricsAskedSerializer, request.query_params.dict())
        rows = self.card(gpu).metrics.order_by("-at")[: asked["limit"]]
        return self.answer(rows, serializer=MetricsSerializer)

    @extend_schema(
        request=None,
        parameters=[ScanAskedSerializer],
        responses={200: ScanSerializer, 202: OpenApiResponse(ScanSerializer, description="Not answered yet.")},
    )
    def scan(self, request: Request, miner: str) -> HttpResponseBase:
        """Ask a miner to look at its cards again, and wait for what it reports; 202 when that takes longer."""
        asked = self.validated(ScanAskedSerializer, {**request.query_params.dict(), **self.body()})
        found = self._miner(miner)
        order = found.orders.filter(kind=MinerOrder.Kind.SCAN).order_by("-created_at").first()
        if order is None or not is_replay(request):
            order = miner_commands.scan(found, actor=self.known_as()).order
        if order.state in (OrderState.FAILED, OrderState.EXPIRED):
            raise ScanFailed(order.answer.get("error") or "The miner did not answer in time.", order_id=str(order.pk))
        if order.state != OrderState.OPEN:
            return self.answer(_scan(order), serializer=ScanSerializer)
        pending = self.answer(_scan(order), status=202, serializer=ScanSerializer)
        return hold(topics=[miner_commands.topic(order.pk)], seconds=asked["wait"], empty=pending)

    def _miner(self, named: str) -> Miner:
        pk = _uuid_or_none(named)
        if self.actor.may("operator") and pk and (found := Miner.objects.filter(pk=pk).first()):
            return found
        return miners.get(self.caller(path=named))


class OrderViewSet(MinerIdentity):
    """What miners were asked: read by their owners, answered by the miners."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"retrieve": OWNERS, "answer_order": MINER}
    pagination_class = None
    body_limits: ClassVar[dict[str, int]] = {"answer_order": 256 * 1024}

    @extend_schema(responses=MinerOrderSerializer)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """An order and, once there is one, its answer."""
        rows = MinerOrder.objects.select_related("miner").filter(pk=pk)
        order = (rows if self.actor.may("operator") else rows.filter(miner__owner_id=self.actor.pk)).first()
        if order is None:
            raise OrderNotFound()
        return self.answer(order, serializer=MinerOrderSerializer)

    @extend_schema(request=OrderAnswerSerializer, responses=OrderTakenSerializer)
    def answer_order(self, request: Request, pk: UUID) -> Response:
        """A miner's answer to an order: what it found or did, or `error`."""
        said = {name: value for name, value in self.validated(OrderAnswerSerializer, self.body()).items() if value}
        error = said.pop("error", "")
        order = miner_commands.answer(owner_id=self.actor.pk, order_id=pk, said=plain(said), error=error)
        return self.answer({"status": "ok", "order_id": order.pk, "state": order.state})


class StatusViewSet(DomainViewSet):
    """How the gpu domain fares."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"read_status": PUBLIC}
    pagination_class = None

    @extend_schema(responses=GpuStatusSerializer)
    def read_status(self, request: Request) -> Response:
        """Miners and cards by state, cards by model, the depth of the queue: counted now."""
        return self.answer(status.read(), serializer=GpuStatusSerializer)


def _profiles(asked: dict[str, Any]) -> QuerySet[ConsumerGPUProfile]:
    catalogue.ensure()
    rows = ConsumerGPUProfile.objects.all()
    if "architecture" in asked:
        rows = rows.filter(architecture=_architecture(asked["architecture"]))
    if "vendor" in asked:
        rows = rows.filter(vendor__iexact=asked["vendor"])
    flags = {name: asked[name] for name in ("edge_optimized", "consumer_grade") if name in asked}
    least = max(asked.get("min_memory_gb", 0), asked.get("min_vram", 0))
    for word in asked.get("q", "").split():
        rows = rows.filter(Q(vendor__icontains=word) | Q(model__icontains=word) | Q(architecture__icontains=word))
    return rows.filter(memory_gb__gte=least, **flags)


def _architecture(asked: str) -> str:
    """The architecture meant; Invalid, with the known ones, for any other."""
    known = sorted({*ConsumerGPUProfile.objects.values_list("architecture", flat=True).distinct(), "unknown"})
    wanted = catalogue.spelled(asked)
    if wanted not in known:
        message = f"Known are {', '.join(known)}."
        raise Invalid(f"architecture: {message}", errors=[{"field": "architecture", "message": message}])
    return wanted


def _scan(order: MinerOrder) -> dict[str, Any]:
    cards = list(order.miner.gpus.present().order_by("position").select_related("miner", "profile"))
    answered = order.state == OrderState.ANSWERED
    told = {
        "miner_id": order.miner.name,
        "order_id": order.pk,
        "state": order.state,
        "gpus": cards,
        "registered": len(cards),
        "edge_optimized": sum(bool(card.profile and card.profile.edge_optimized) for card in cards),
        "discovery_method": order.answer.get("discovery_method") or "reported" if answered else None,
        "requested_at": order.created_at,
        "answered_at": order.ended_at,
    }
    return told if answered else {**told, "ask_again": f"/gpu/v1/orders/{order.pk}"}


def _told(specs: dict[str, Any]) -> Gpu:
    """A card as a person describes it. Invalid without a name."""
    cards = normalise({"gpu": specs}).gpus
    if not cards or not cards[0].name.strip():
        message = 'Name the model, e.g. {"specs": {"model": "RTX 4090", "memory_gb": 24}}.'
        raise Invalid(f"specs.model: {message}", errors=[{"field": "specs.model", "message": message}])
    return cards[0]


def _uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
