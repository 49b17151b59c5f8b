"""Measuring cards, advice on running models on them, changing their settings, what they earn."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.errors import Forbidden, Invalid
from aitbc.core.money import format_amount
from aitbc.core.pagination import KeysetPagination
from aitbc.core.schema import IDEMPOTENCY_KEY, REUSED
from aitbc.core.viewsets import DomainViewSet, Scopes
from apps.gpu.errors import BenchmarkNotFound, GpuNotFound
from apps.gpu.models import GPUBenchmark, GPURegistry, IdempotencyRecord
from apps.gpu.serializers.benchmarks import (
    AdviceSerializer,
    AppliedSerializer,
    BegunSerializer,
    BenchmarkRequestSerializer,
    BenchmarkSerializer,
    CardEarningsSerializer,
    CommitmentSerializer,
    EarningsQuerySerializer,
    GivenUpSerializer,
    OpeningsSerializer,
    OptimizeSerializer,
    OrderStateSerializer,
    QuestionSerializer,
    WorkloadSerializer,
)
from apps.gpu.serializers.optimize_request import wish_of
from apps.gpu.services import benchmarks, earnings, optimization, power_limits

READERS: Scopes = ("client", "miner", "operator", "read")
OWNERS: Scopes = ("miner", "operator", "read")
OLD_WORDS = ("ctx", "batch", "task", "quantisation", "target_tps", "slo_ms", "kv_dtype", "gpus")
EXAMPLE = OpenApiParameter("model_name", required=False, description="The model, for clients that name it here.")


class CardTools(DomainViewSet):
    """What the views of one card share."""

    def card(self, named: str) -> GPURegistry:
        return optimization.find(named, owner_id=self.actor.pk)

    def own_card(self, named: str) -> GPURegistry:
        """The caller's card; an operator sees everybody's."""
        found = self.card(named)
        if found.owner_id != self.actor.pk and not self.actor.may("operator"):
            raise GpuNotFound()
        return found

    def signed(self) -> str:
        return f"key:{self.actor.key_prefix}"


class BenchmarkViewSet(mixins.ListModelMixin, CardTools):
    """Benchmarks of the caller's cards."""

    required_scopes: ClassVar[dict[str, Scopes]] = {
        **dict.fromkeys(("list", "retrieve"), OWNERS), "create": ("miner", "operator"),
    }  # fmt: skip
    queryset = GPUBenchmark.objects.all()
    serializer_class = BenchmarkSerializer
    pagination_class = KeysetPagination
    ordering = ("-requested_at", "-id")

    def get_queryset(self) -> QuerySet[GPUBenchmark]:
        rows = super().get_queryset()
        if "gpu" in self.kwargs:
            rows = rows.filter(gpu=self.own_card(self.kwargs["gpu"]))
        return rows if self.actor.may("operator") else rows.of_owner(self.actor.pk)

    @extend_schema(
        request=BenchmarkRequestSerializer, responses={201: BenchmarkSerializer, **REUSED}, parameters=[IDEMPOTENCY_KEY]
    )
    def create(self, request: Request, gpu: str) -> HttpResponseBase:
        """Challenge a card to show what it is; its miner hears of it with its next heartbeat."""
        card, data = self.own_card(gpu), self.validated(BenchmarkRequestSerializer)

        def produce() -> Response:
            return self.answer(benchmarks.request(card, actor=self.signed(), reason=data["reason"]), status=201)

        return self.idempotently(IdempotencyRecord, produce)

    @extend_schema(responses=BenchmarkSerializer)
    def retrieve(self, request: Request, benchmark: UUID) -> Response:
        """One benchmark, with its verdict when there is one."""
        found = self.get_queryset().filter(pk=benchmark).first()
        if found is None:
            raise BenchmarkNotFound()
        return self.answer(found)


class BenchmarkDoorViewSet(CardTools):
    """A benchmark as its miner goes through it: begin, commit, answer, or give up."""

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(
        ("begin", "commit", "respond", "give_up", "applied"), "miner"
    )
    body_limits: ClassVar[dict[str, int]] = {"respond": 4 * 2**20, "commit": 256 * 1024}

    @extend_schema(request=None, responses=BegunSerializer)
    def begin(self, request: Request, benchmark: UUID) -> Response:
        """Take the nonce: from now on the exchange's clock runs."""
        begun = benchmarks.begin_work(self._find(benchmark))
        return self.answer({"id": str(begun.pk), "task": begun.task, "begun_at": begun.begun_at})

    @extend_schema(request=CommitmentSerializer, responses=QuestionSerializer)
    def commit(self, request: Request, benchmark: UUID) -> Response:
        """Commit to product and memory, hand in the figures; the answer says what is to be opened."""
        found, data = self._find(benchmark), self.validated(CommitmentSerializer)
        if (data["device"] == "cpu") != (found.gpu.kind == GPURegistry.Kind.CPU):
            text = f"A {found.gpu.kind} cannot be measured on {data['device']}."
            raise Invalid(text, errors=[{"field": "device", "message": text}])
        bound = benchmarks.commit(
            found,
            commitment={"product": data["product"], "memory": data["memory"], "seconds": data.get("seconds", {})},
            figures=data["figures"], environment=data.get("environment", {}), device=data["device"],
        )  # fmt: skip
        return self.answer(
            {"id": str(bound.pk), "state": bound.state, "question": bound.question, "due_at": bound.due_at}
        )

    @extend_schema(request=OpeningsSerializer, responses=BenchmarkSerializer)
    def respond(self, request: Request, benchmark: UUID) -> Response:
        """Open the rows and pages asked; the answer holds the verdict."""
        judged = benchmarks.answer(self._find(benchmark), answer=self.validated(OpeningsSerializer))
        power_limits.judge(judged)
        return self.answer(judged, serializer=BenchmarkSerializer)

    @extend_schema(request=GivenUpSerializer, responses=BenchmarkSerializer)
    def give_up(self, request: Request, benchmark: UUID) -> Response:
        """Say that it cannot be done, and why."""
        given_up = benchmarks.give_up(self._find(benchmark), reason=self.validated(GivenUpSerializer)["reason"])
        power_limits.judge(given_up)
        return self.answer(given_up, serializer=BenchmarkSerializer)

    @extend_schema(request=AppliedSerializer, responses=OrderStateSerializer)
    def applied(self, request: Request, order: UUID) -> Response:
        """Answer an order to change settings; a change that was made is measured next."""
        data = self.validated(AppliedSerializer)
        done = power_limits.applied(
            owner_id=self.actor.pk, order_id=order, settings=data.get("settings", {}), refused=data.get("refused", "")
        )
        return self.answer({"order_id": str(done.pk), "state": done.state})

    def _find(self, benchmark: UUID) -> GPUBenchmark:
        return benchmarks.find(owner_id=self.actor.pk, benchmark_id=benchmark)


class AdviceViewSet(CardTools):
    """What to run a model with on a card, and what the card earns."""

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(("optimize", "earnings_advice"), READERS)

    @extend_schema(
        request=OptimizeSerializer, responses={200: AdviceSerializer, **REUSED}, parameters=[EXAMPLE, IDEMPOTENCY_KEY]
    )
    def optimize(self, request: Request, gpu: str) -> HttpResponseBase:
        """How to run a model on a card: format, batch, power limit, predicted speed. With apply: have it set."""
        card, data = self.card(gpu), self.validated(OptimizeSerializer)
        name = data.get("model_name") or request.query_params.get("model_name")
        workload = data.get("workload") or self._old(data)
        wish = wish_of(workload, objective=data["objective"], model_name=name)

        def produce() -> Response:
            advice = optimization.recommend(card, wish)
            told = {**advice, "model_name": name or advice["model"], "optimized": advice["fits"]}
            if data["apply"]:
                told["order"] = self._apply(card, advice)
            return self.answer(told)

        return self.idempotently(IdempotencyRecord, produce) if data["apply"] else produce()

    @extend_schema(parameters=[EarningsQuerySerializer], responses=CardEarningsSerializer)
    def earnings_advice(self, request: Request, gpu: str) -> Response:
        """What a card earns per hour, the price below which it loses, and a price to ask."""
        advice = earnings.advise(self.card(gpu), **self.filters(EarningsQuerySerializer))
        net = advice.pop("net")
        signed = f"-{format_amount(-net)}" if net < 0 else format_amount(net)
        return self.answer({**CardEarningsSerializer({**advice, "net_per_hour": signed}).data})

    def _old(self, data: dict[str, Any]) -> dict[str, Any]:
        """The workload of a client of the predecessor: what it put into request_data, as far as we know the words."""
        sent = data.get("request_data") or {}
        return self.validated(WorkloadSerializer, {name: sent[name] for name in OLD_WORDS if name in sent})

    def _apply(self, card: GPURegistry, advice: dict[str, Any]) -> dict[str, Any]:
        if not self.actor.may("miner"):
            raise Forbidden("Only the owner of a card changes its settings.")
        order = power_limits.apply(card, owner_id=self.actor.pk, actor=self.signed(), advice=advice)
        return {
            "order_id": str(order.pk),
            "state": order.state,
            "due_at": order.due_at,
            "settings": order.body["settings"],
        }
