"""Miners as their owners see and change them: machines, jobs, earnings."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.pagination import KeysetPagination
from aitbc.core.viewsets import Scopes
from apps.gpu.models import Miner
from apps.gpu.selectors.miners import earnings_of, jobs_of
from apps.gpu.serializers.leases import LeaseSerializer
from apps.gpu.serializers.miner_protocol import RegisterSerializer
from apps.gpu.serializers.miners import (
    GpuOfMinerSerializer,
    HistorySerializer,
    LeftSerializer,
    MinerEarningsSerializer,
    MinerFilterSerializer,
    MinerJobsSerializer,
    MinerSerializer,
    OfferedSerializer,
    PeriodSerializer,
)
from apps.gpu.services import miners
from apps.gpu.views.identity import NAMED_IN_PATH, MinerIdentity, uuid_or_none

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
        rows = Miner.objects.all()
        return rows if self.actor.may("operator") else rows.owned_by(self.actor.pk)

    @extend_schema(responses=MinerSerializer)
    def retrieve(self, request: Request, miner: str) -> Response:
        """One miner, by its id or its name."""
        return self.answer(self._miner(miner))

    @extend_schema(responses=GpuOfMinerSerializer(many=True), filters=False)
    def gpus(self, request: Request, miner: str) -> Response:
        """The cards of a miner, as it described them."""
        gpus = self._miner(miner).gpus.present().order_by("position", "pk").select_related("miner")
        return self.answer(gpus, serializer=GpuOfMinerSerializer)

    @extend_schema(
        request=None, responses={200: MinerJobsSerializer}, parameters=[HistorySerializer, NAMED_IN_PATH], filters=False
    )
    def jobs(self, request: Request, miner: str) -> Response:
        """What the miner did, newest first."""
        found, query = self._miner(miner), self._query(HistorySerializer)
        page = jobs_of(found, query)
        jobs = [
            {**LeaseSerializer(job.lease).data, "task_type": job.task_type, "reward": job.reward} for job in page.jobs
        ]
        place = {"limit": query["limit"], "offset": query["offset"], "total": page.total}
        return self.answer({"miner_id": found.name, **place, "jobs": jobs})

    @extend_schema(
        request=None,
        responses={200: MinerEarningsSerializer},
        parameters=[PeriodSerializer, NAMED_IN_PATH],
        filters=False,
    )
    def earnings(self, request: Request, miner: str) -> Response:
        """What the miner was paid, and what it delivered that is not settled yet."""
        return self.answer(earnings_of(self._miner(miner), self._query(PeriodSerializer)))

    @extend_schema(request=RegisterSerializer, responses={200: OfferedSerializer}, parameters=[NAMED_IN_PATH])
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

    @extend_schema(responses={200: LeftSerializer}, parameters=[*FLAGS, NAMED_IN_PATH])
    def destroy(self, request: Request, miner: str) -> Response:
        """Take a miner out of service; with live leases only by draining or by force."""
        left = miners.deregister(
            miners.get(self.caller(path=miner)),
            drain=_flag(request, "drain"),
            force=_flag(request, "force"),
            actor=self.actor_name(),
        )
        drained = left.state == "deregistered"
        message = "Miner deregistered" if drained else "Miner drains; it leaves when its leases end"
        return self.answer({"status": "ok", "miner_id": left.name, "state": left.state, "message": message})

    def _miner(self, named: str) -> Miner:
        pk = uuid_or_none(named)
        if self.actor.may("operator") and pk and (found := Miner.objects.filter(pk=pk).first()):
            return found
        return miners.get(self.caller(path=named))

    def _query(self, serializer: Any) -> dict[str, Any]:
        return self.validated(serializer, {**self.request.query_params.dict(), **self.body()})


def _flag(request: Request, name: str) -> bool:
    return str(request.query_params.get(name, "")).lower() in ("1", "true", "yes")
