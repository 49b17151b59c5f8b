"""Recommendations for running a model on a GPU, and what the GPU earns."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.errors import Forbidden
from aitbc.core.money import format_amount
from aitbc.core.schema import IDEMPOTENCY_KEY, REUSED
from aitbc.core.viewsets import Scopes
from apps.gpu.models import GPURegistry, IdempotencyRecord
from apps.gpu.serializers.earnings import EarningsQuerySerializer, GpuEarningsSerializer
from apps.gpu.serializers.optimization import AdviceSerializer, OptimizeSerializer, WorkloadSerializer
from apps.gpu.serializers.optimize_request import read_request
from apps.gpu.services import earnings, optimization, power_limits
from apps.gpu.views.identity import AnyGpuView

READERS: Scopes = ("client", "miner", "operator", "read")
LEGACY_FIELDS = ("ctx", "batch", "task", "quantisation", "target_tps", "slo_ms", "kv_dtype", "gpus")
EXAMPLE = OpenApiParameter("model_name", required=False, description="The model, for clients that name it here.")


class OptimizationViewSet(AnyGpuView):
    """What to run a model with on a card, and what the card earns."""

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(("optimize", "earnings_advice"), READERS)

    @extend_schema(
        request=OptimizeSerializer, responses={200: AdviceSerializer, **REUSED}, parameters=[EXAMPLE, IDEMPOTENCY_KEY]
    )
    def optimize(self, request: Request, gpu: str) -> HttpResponseBase:
        """How to run a model on a card: format, batch, power limit, predicted speed. With apply: have it set."""
        found, data = self.find_gpu(gpu), self.validated(OptimizeSerializer)
        name = data.get("model_name") or request.query_params.get("model_name")
        workload = data.get("workload") or self._legacy_workload(data)
        query = read_request(workload, objective=data["objective"], model_name=name)

        def produce() -> Response:
            advice = optimization.recommend(found, query)
            answer = {**advice, "model_name": name or advice["model"], "optimized": advice["fits"]}
            if data["apply"]:
                answer["order"] = self._apply(found, advice)
            return self.answer(answer)

        return self.idempotently(IdempotencyRecord, produce) if data["apply"] else produce()

    @extend_schema(parameters=[EarningsQuerySerializer], responses=GpuEarningsSerializer)
    def earnings_advice(self, request: Request, gpu: str) -> Response:
        """What a card earns per hour, its break-even price, and a recommended price."""
        advice = earnings.advise(self.find_gpu(gpu), **self.filters(EarningsQuerySerializer))
        net = advice.pop("net")
        signed = f"-{format_amount(-net)}" if net < 0 else format_amount(net)
        return self.answer({**GpuEarningsSerializer({**advice, "net_per_hour": signed}).data})

    def _legacy_workload(self, data: dict[str, Any]) -> dict[str, Any]:
        """The workload of a legacy client: the known fields of its request_data."""
        sent = data.get("request_data") or {}
        return self.validated(WorkloadSerializer, {name: sent[name] for name in LEGACY_FIELDS if name in sent})

    def _apply(self, found: GPURegistry, advice: dict[str, Any]) -> dict[str, Any]:
        if not self.actor.may("miner"):
            raise Forbidden("Only the owner of a card changes its settings.")
        command = power_limits.apply(found, owner_id=self.actor.pk, actor=self.actor_name(), advice=advice)
        return {
            "order_id": str(command.pk),
            "state": command.state,
            "due_at": command.due_at,
            "settings": command.body["settings"],
        }
