"""Benchmarks: requested by owners, carried out by miners."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.errors import Invalid
from aitbc.core.pagination import KeysetPagination
from aitbc.core.schema import IDEMPOTENCY_KEY, REUSED
from aitbc.core.viewsets import Scopes
from apps.gpu.errors import BenchmarkNotFound
from apps.gpu.models import GPUBenchmark, GPURegistry, IdempotencyRecord
from apps.gpu.serializers.benchmarks import (
    BegunSerializer,
    BenchmarkRequestSerializer,
    BenchmarkSerializer,
    CommitmentSerializer,
    GivenUpSerializer,
    OpeningsSerializer,
    QuestionSerializer,
)
from apps.gpu.services import benchmarks, power_limits
from apps.gpu.views.identity import AnyGpuView

OWNERS: Scopes = ("miner", "operator", "read")


class BenchmarkViewSet(mixins.ListModelMixin, AnyGpuView):
    """Benchmarks of the caller's cards."""

    required_scopes: ClassVar[dict[str, Scopes]] = {
        **dict.fromkeys(("list", "retrieve"), OWNERS), "create": ("miner", "operator"),
    }  # fmt: skip
    queryset = GPUBenchmark.objects.all()
    serializer_class = BenchmarkSerializer
    pagination_class = KeysetPagination
    ordering = ("-requested_at", "-id")

    def get_queryset(self) -> QuerySet[GPUBenchmark]:
        rows = GPUBenchmark.objects.all()
        if "gpu" in self.kwargs:
            rows = rows.filter(gpu=self.own_gpu(self.kwargs["gpu"]))
        return rows if self.actor.may("operator") else rows.of_owner(self.actor.pk)

    @extend_schema(
        request=BenchmarkRequestSerializer, responses={201: BenchmarkSerializer, **REUSED}, parameters=[IDEMPOTENCY_KEY]
    )
    def create(self, request: Request, gpu: str) -> HttpResponseBase:
        """Challenge a card to show what it is; its miner receives the command with its next heartbeat."""
        found, data = self.own_gpu(gpu), self.validated(BenchmarkRequestSerializer)

        def produce() -> Response:
            return self.answer(benchmarks.request(found, actor=self.actor_name(), reason=data["reason"]), status=201)

        return self.idempotently(IdempotencyRecord, produce)

    @extend_schema(responses=BenchmarkSerializer)
    def retrieve(self, request: Request, benchmark: UUID) -> Response:
        """One benchmark, with its verdict when there is one."""
        found = self.get_queryset().filter(pk=benchmark).first()
        if found is None:
            raise BenchmarkNotFound()
        return self.answer(found)


class MinerBenchmarkViewSet(AnyGpuView):
    """A benchmark as its miner goes through it: begin, commit, answer, or give up."""

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(("begin", "commit", "respond", "give_up"), "miner")
    body_limits: ClassVar[dict[str, int]] = {"respond": 4 * 2**20, "commit": 256 * 1024}

    @extend_schema(request=None, responses=BegunSerializer)
    def begin(self, request: Request, benchmark: UUID) -> Response:
        """Receive the nonce: from now on the exchange's clock runs."""
        begun = benchmarks.begin_work(self._find(benchmark))
        return self.answer({"id": str(begun.pk), "task": begun.task, "begun_at": begun.begun_at})

    @extend_schema(request=CommitmentSerializer, responses=QuestionSerializer)
    def commit(self, request: Request, benchmark: UUID) -> Response:
        """Commit to product and memory, deliver the measurements; the answer says what is to be opened."""
        found, data = self._find(benchmark), self.validated(CommitmentSerializer)
        if (data["device"] == "cpu") != (found.gpu.kind == GPURegistry.Kind.CPU):
            text = f"A {found.gpu.kind} cannot be measured on {data['device']}."
            raise Invalid(text, errors=[{"field": "device", "message": text}])
        bound = benchmarks.commit(
            found,
            commitment={"product": data["product"], "memory": data["memory"], "seconds": data.get("seconds", {})},
            measurements=data["figures"], environment=data.get("environment", {}), device=data["device"],
        )  # fmt: skip
        return self.answer(
            {"id": str(bound.pk), "state": bound.state, "question": bound.question, "due_at": bound.due_at}
        )

    @extend_schema(request=OpeningsSerializer, responses=BenchmarkSerializer)
    def respond(self, request: Request, benchmark: UUID) -> Response:
        """Open the requested rows and pages; the answer holds the verdict."""
        judged = benchmarks.answer(self._find(benchmark), answer=self.validated(OpeningsSerializer))
        power_limits.judge(judged)
        return self.answer(judged, serializer=BenchmarkSerializer)

    @extend_schema(request=GivenUpSerializer, responses=BenchmarkSerializer)
    def give_up(self, request: Request, benchmark: UUID) -> Response:
        """Report that it cannot be done, and why."""
        failed = benchmarks.give_up(self._find(benchmark), reason=self.validated(GivenUpSerializer)["reason"])
        power_limits.judge(failed)
        return self.answer(failed, serializer=BenchmarkSerializer)

    def _find(self, benchmark: UUID) -> GPUBenchmark:
        return benchmarks.find(owner_id=self.actor.pk, benchmark_id=benchmark)
