"""GPUs of the registry: listed, registered by hand, changed, retired."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.errors import Invalid
from aitbc.core.pagination import KeysetPagination
from aitbc.core.rows import readable
from aitbc.core.schema import NOT_THERE
from aitbc.core.viewsets import Scopes
from apps.gpu.logic.capabilities import Gpu, normalise
from apps.gpu.models import GPURegistry, GPUTransition
from apps.gpu.serializers.gpus import (
    DiscoveredSerializer,
    GpuChangedSerializer,
    GpuChangeSerializer,
    GpuDetailSerializer,
    GpuFilterSerializer,
    GpuReasonSerializer,
    GpuRegisterSerializer,
    GpuSerializer,
    GpuTransitionSerializer,
)
from apps.gpu.services import gpus, miners, uuid_disputes
from apps.gpu.views.identity import IDENTITY, GpuIdentity, uuid_or_none
from apps.marketplace import interface as marketplace

READERS: Scopes = ("miner", "client", "trader", "operator", "read")
OWNERS: Scopes = ("miner", "operator")


class GpuViewSet(mixins.ListModelMixin, GpuIdentity):
    """Cards of the caller, and those it has in a booking; an operator sees everybody's."""

    required_scopes: ClassVar[dict[str, Scopes]] = {
        **dict.fromkeys(("list", "retrieve", "discover", "history"), READERS),
        **dict.fromkeys(("register", "update", "destroy"), OWNERS),
        "release": "operator",
    }
    queryset = GPURegistry.objects.select_related("miner", "profile")
    serializer_class = GpuSerializer
    filter_serializer = GpuFilterSerializer
    pagination_class = KeysetPagination
    ordering = ("-created_at", "-id")

    def get_queryset(self) -> QuerySet[GPURegistry]:
        rows = GPURegistry.objects.select_related("miner", "profile")
        return rows if self.actor.may("operator") else rows.visible_to(self.actor.pk)

    def narrow(self, queryset: QuerySet[Any], filters: dict[str, Any]) -> QuerySet[Any]:
        terms = Q()
        for name, column in (("state", "state"), ("device", "kind")):
            if name in filters:
                terms &= Q(**{column: filters[name]})
        if "miner_id" in filters:
            pk = uuid_or_none(filters["miner_id"])
            terms &= Q(miner__name=filters["miner_id"]) | (Q(miner_id=pk) if pk else Q(pk=None))
        if "model" in filters:
            terms &= Q(name__icontains=filters["model"]) | Q(profile__model__icontains=filters["model"])
        if "min_memory_gb" in filters:
            terms &= Q(memory_mb__gte=filters["min_memory_gb"] * 1024)
        if "verified" in filters:
            proven = Q(verified_at__isnull=False) & ~Q(state="quarantined")
            terms &= proven if filters["verified"] else ~proven
        return queryset.filter(terms)

    @extend_schema(responses=GpuDetailSerializer)
    def retrieve(self, request: Request, gpu: str) -> Response:
        """One card, by our id or its owner's."""
        found = self.find_gpu(gpu)
        rating = marketplace.rating_of(found.pk)
        shown = GpuSerializer(found).data
        return self.answer({**shown, "average_rating": rating.average, "total_reviews": rating.count})

    @extend_schema(responses={200: DiscoveredSerializer, **NOT_THERE}, parameters=IDENTITY, filters=False)
    def discover(self, request: Request) -> Response:
        """The cards that the caller's miner reported."""
        caller = self.caller()
        gpus = GPURegistry.objects.select_related("miner", "profile").owned_by(self.actor.pk).present()
        if caller.named is not None:
            gpus = gpus.of_miner(miners.get(caller).pk)
        shown = GpuSerializer(gpus.order_by("miner_id", "position", "pk")[:256], many=True).data
        first: dict[str, Any] = next(readable(_first, shown), {})
        return self.answer({**first, "gpus": shown})

    @extend_schema(request=GpuRegisterSerializer, responses=GpuChangedSerializer, parameters=IDENTITY)
    def register(self, request: Request) -> Response:
        """Register a card by hand; the same gpu_id again changes it. What its miner reports about it wins."""
        body = self.body()
        data = self.validated(GpuRegisterSerializer, body)
        reported = _reported({**body, **(data["specs"] if isinstance(data.get("specs"), dict) else {})})
        caller = self.caller(body)
        miner = miners.find(caller) or miners.register(caller, region=data.get("region") or "")
        found = gpus.register(
            miner,
            reported,
            external_id=data.get("gpu_id") or "",
            price_per_hour=data.get("price_per_hour"),
            actor=self.actor_name(),
        )
        shown = GpuSerializer(found).data
        return self.answer({**shown, "status": "registered", "message": f"Registered; it is {found.state}."})

    @extend_schema(request=GpuChangeSerializer, responses=GpuChangedSerializer)
    def update(self, request: Request, gpu: str) -> Response:
        """Change a card's price, or take it off the market and put it back."""
        data = self.validated(GpuChangeSerializer, self.body())
        if not data:
            raise Invalid("Send price_per_hour, status, or both.")
        found = gpus.change(
            self.find_gpu(gpu, own=True),
            actor=self.actor_name(),
            price_per_hour=data.get("price_per_hour"),
            on=gpus.on_the_market(data["status"]) if "status" in data else None,
        )
        return self.answer({**GpuSerializer(found).data, "message": f"Changed; it is {found.state}."})

    @extend_schema(responses={200: GpuChangedSerializer})
    def destroy(self, request: Request, gpu: str) -> Response:
        """Retire a card; 409 while a booking needs it."""
        found = gpus.retire(self.find_gpu(gpu, own=True), actor=self.actor_name())
        return self.answer({**GpuSerializer(found).data, "message": "Retired."})

    @extend_schema(responses=GpuTransitionSerializer(many=True), filters=False)
    def history(self, request: Request, gpu: str) -> Response:
        """How a card came to its state: every transition, newest first (at most 200)."""
        transitions = GPUTransition.objects.filter(subject_id=self.find_gpu(gpu).pk).order_by("-seq")[:200]
        return self.answer(transitions, serializer=GpuTransitionSerializer)

    @extend_schema(request=GpuReasonSerializer, responses=GpuChangedSerializer)
    def release(self, request: Request, gpu: str) -> Response:
        """Release a card from quarantine (operators only), with the reason."""
        data = self.validated(GpuReasonSerializer)
        found = uuid_disputes.release(self.find_gpu(gpu), reason=data["reason"], actor=self.actor_name())
        return self.answer({**GpuSerializer(found).data, "message": f"Released; it is {found.state}."})


def _first(shown: dict[str, Any]) -> dict[str, Any]:
    """What stands at the top of the caller's cards: values of one of them."""
    capability = shown["details"].get("compute_capability")
    values = {"model": shown["model"], "memory_gb": shown["memory_gb"], "cuda_version": shown["driver"]}
    return values | ({"compute_capability": str(capability)} if capability else {})


def _reported(specs: dict[str, Any]) -> Gpu:
    """A GPU as a person describes it. Raises Invalid without a name."""
    gpus = normalise({"gpu": specs}).gpus
    if not gpus or not gpus[0].name.strip():
        message = 'Name the model, e.g. {"specs": {"model": "RTX 4090", "memory_gb": 24}}.'
        raise Invalid(f"specs.model: {message}", errors=[{"field": "specs.model", "message": message}])
    return gpus[0]
