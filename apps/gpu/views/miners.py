"""What a miner's owner looks at and changes: its machines, cards, jobs, earnings, and registered back-ends."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.money import format_amount
from aitbc.core.pagination import KeysetPagination
from aitbc.core.schema import IDEMPOTENCY_KEY, REUSED
from aitbc.core.viewsets import DomainViewSet, Scopes
from apps.gpu.models import Backend, IdempotencyRecord, Miner
from apps.gpu.selectors.miners import earnings_of, jobs_of
from apps.gpu.serializers.miner_protocol import (
    BackendInputSerializer,
    BackendSerializer,
    GpuOfMinerSerializer,
    HistorySerializer,
    MinerFilterSerializer,
    MinerSerializer,
    PeriodSerializer,
    RegisterSerializer,
)
from apps.gpu.serializers.miners import (
    LeftSerializer,
    MinerEarningsSerializer,
    MinerJobsSerializer,
    OfferedSerializer,
)
from apps.gpu.services import backends, miners
from apps.gpu.views.miner_protocol import MinerIdentity

OWNERS: Scopes = ("miner", "operator", "read")
FLAGS = [
    OpenApiParameter("drain", OpenApiTypes.BOOL, description="Let it finish what it holds, then leave."),
    OpenApiParameter("force", OpenApiTypes.BOOL, description="Take its leases back at once."),
]


class MinerViewSet(mixins.ListModelMixin, MinerIdentity):
    """Miners of the caller; an operator sees everybody's."""

    required_scopes: ClassVar[dict[str, Scopes]] = {
        **dict.fromkeys(("list", "retrieve", "gpus", "jobs", "earnings"), OWNERS),
        **dict.fromkeys(("capabilities", "destroy"), "miner"),
    }
    queryset = Miner.objects.all()
    serializer_class = MinerSerializer
    filter_serializer = MinerFilterSerializer
    pagination_class = KeysetPagination
    ordering = ("-created_at", "-id")

    def get_queryset(self) -> QuerySet[Miner]:
        rows = super().get_queryset()
        return rows if self.actor.may("operator") else rows.owned_by(self.actor.pk)

    @extend_schema(responses=MinerSerializer)
    def retrieve(self, request: Request, miner: str) -> Response:
        """One miner, by its id or its name."""
        return self.answer(self._miner(miner))

    @extend_schema(responses=GpuOfMinerSerializer(many=True), filters=False)
    def gpus(self, request: Request, miner: str) -> Response:
        """The cards of a miner, as it described them."""
        cards = self._miner(miner).gpus.present().order_by("position").select_related("miner")
        return self.answer(cards, serializer=GpuOfMinerSerializer)

    @extend_schema(request=None, responses={200: MinerJobsSerializer}, parameters=[HistorySerializer], filters=False)
    def jobs(self, request: Request, miner: str) -> Response:
        """What the miner did, newest first."""
        return self.answer(jobs_of(self._miner(miner), self._asked(HistorySerializer)))

    @extend_schema(request=None, responses={200: MinerEarningsSerializer}, parameters=[PeriodSerializer], filters=False)
    def earnings(self, request: Request, miner: str) -> Response:
        """What the miner was paid, and what it delivered that is not settled yet."""
        return self.answer(earnings_of(self._miner(miner), self._asked(PeriodSerializer)))

    @extend_schema(request=RegisterSerializer, responses={200: OfferedSerializer})
    def capabilities(self, request: Request, miner: str) -> Response:
        """Change what a miner offers."""
        body = self.body()
        data = self.validated(RegisterSerializer, body)
        found = miners.get(self.caller(path=miner))
        offered = (
            data.get("capabilities")
            if "capabilities" in body
            else {k: v for k, v in body.items() if k not in ("concurrency", "miner_id")}
        )
        changed = miners.declare(
            found, capabilities=offered or {}, concurrency=data.get("concurrency"), region=data.get("region") or ""
        )
        return self.answer(
            {
                "status": "ok",
                "miner_id": changed.name,
                "capabilities": changed.capabilities,
                "concurrency": changed.concurrency,
                "session_token": changed.session,
            }
        )

    @extend_schema(responses={200: LeftSerializer}, parameters=FLAGS)
    def destroy(self, request: Request, miner: str) -> Response:
        """Take a miner out of service; with live leases only by draining or by force."""
        left = miners.deregister(
            miners.get(self.caller(path=miner)),
            drain=_flag(request, "drain"),
            force=_flag(request, "force"),
            actor=f"key:{self.actor.key_prefix}",
        )
        drained = left.state == "deregistered"
        message = "Miner deregistered" if drained else "Miner drains; it leaves when its leases end"
        return self.answer({"status": "ok", "miner_id": left.name, "state": left.state, "message": message})

    def _miner(self, named: str) -> Miner:
        if self.actor.may("operator") and (found := Miner.objects.filter(pk=_uuid_or_none(named)).first()):
            return found
        return miners.get(self.caller(path=named))

    def _asked(self, serializer: Any) -> dict[str, Any]:
        return self.validated(serializer, {**self.request.query_params.dict(), **self.body()})


class BackendViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, DomainViewSet):
    """Model servers that cannot poll: the exchange asks them for models and feeds them work."""

    required_scopes: ClassVar[dict[str, Scopes]] = {
        **dict.fromkeys(("list", "retrieve"), OWNERS),
        **dict.fromkeys(("create", "destroy"), ("miner", "operator")),
    }
    queryset = Backend.objects.select_related("miner")
    serializer_class = BackendSerializer
    pagination_class = KeysetPagination
    ordering = ("-created_at", "-id")

    def get_queryset(self) -> QuerySet[Backend]:
        rows = super().get_queryset()
        return rows if self.actor.may("operator") else rows.filter(owner_id=self.actor.pk)

    @extend_schema(
        request=BackendInputSerializer, responses={201: BackendSerializer, **REUSED}, parameters=[IDEMPOTENCY_KEY]
    )
    def create(self, request: Request) -> Any:
        """Register a model server; only an operator's may be on http or a private address."""
        data = self.validated(BackendInputSerializer)
        price = None if data["price"] is None else format_amount(data["price"])
        caller = miners.Caller(self.actor.pk, str(self.actor.key_id), self.actor.key_prefix)

        def produce() -> Response:
            added = backends.add(caller=caller, allow_listed=self.actor.may("operator"), **{**data, "price": price})
            return self.answer(added, status=201)

        return self.idempotently(IdempotencyRecord, produce)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: Any = None) -> Response:
        """Take a model server out of service."""
        backends.remove(self.get_object(), actor=f"key:{self.actor.key_prefix}")
        return Response(status=204)


def _flag(request: Request, name: str) -> bool:
    return str(request.query_params.get(name, "")).lower() in ("1", "true", "yes")


def _uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
