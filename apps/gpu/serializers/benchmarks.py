"""Benchmarks, advice and earnings as they are asked for and told. The seed's routes ignore unknown fields."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from aitbc.core.serializers import AmountField, LenientSerializer, ObjectField, ResourceSerializer, StrictSerializer
from apps.gpu.logic.llm import KV_BYTES, QUANT_NAMES
from apps.gpu.logic.optimizer import MOST_GPUS, MOST_USERS, QUALITIES, TASKS
from apps.gpu.logic.power import MODES
from apps.gpu.models import GPUBenchmark

HEX64 = r"^[0-9a-f]{64}$"


class BenchmarkSerializer(ResourceSerializer):
    """One challenge and its verdict; `nonce` and `task` are told to the miner when it begins."""

    score = serializers.FloatField(read_only=True, allow_null=True, help_text="An RTX 3090 = 100.")

    class Meta:
        model = GPUBenchmark
        fields = [
            "id", "gpu", "suite", "state", "device", "results", "environment", "verdict", "score", "requested_by",
            "requested_at", "begun_at", "due_at", "ended_at",
        ]  # fmt: skip


class BenchmarkRequestSerializer(StrictSerializer):
    reason = serializers.CharField(required=False, max_length=200, default="asked for")


class BegunSerializer(serializers.Serializer[Any]):
    """The task, with the nonce."""

    id = serializers.UUIDField()
    task = ObjectField()
    begun_at = serializers.DateTimeField()


class CommitmentSerializer(StrictSerializer):
    """What the miner bound itself to, and what it measured."""

    product = serializers.RegexField(HEX64, help_text="Root of the tree over the digests of the products' rows.")
    memory = serializers.RegexField(HEX64, help_text="Root of the tree over the digests of the memory's pages.")
    seconds = ObjectField(required=False, help_text="How long each part took, by the miner's clock; a claim.")
    figures = ObjectField(help_text="{name: {median, low, high, unit, runs}}")
    environment = ObjectField(required=False)
    device = serializers.ChoiceField(choices=["cuda", "rocm", "cpu"])


class QuestionSerializer(serializers.Serializer[Any]):
    """Which rows and pages are to be opened, and until when."""

    id = serializers.UUIDField()
    state = serializers.CharField()
    question = ObjectField()
    due_at = serializers.DateTimeField()


class OpeningsSerializer(StrictSerializer):
    """Rows, and pages with their parents: each as {data, table, path}."""

    rows = serializers.ListField(child=serializers.JSONField(), max_length=256)
    pages = serializers.ListField(child=serializers.JSONField(), max_length=64)


class GivenUpSerializer(StrictSerializer):
    reason = serializers.CharField(max_length=300)


class AppliedSerializer(StrictSerializer):
    """What is set now, or why it was refused."""

    settings = ObjectField(required=False)
    refused = serializers.CharField(required=False, max_length=300)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("settings" in attrs) == ("refused" in attrs):
            raise serializers.ValidationError("Say what is set now, or why it was refused.")
        return attrs


class OrderStateSerializer(serializers.Serializer[Any]):
    order_id = serializers.UUIDField()
    state = serializers.CharField()


class WorkloadSerializer(StrictSerializer):
    """What is to run. `model` names one of the table; `params_b` (in 10⁹) is for any other dense one."""

    model = serializers.CharField(required=False, max_length=120)
    params_b = serializers.FloatField(required=False, min_value=0.01, max_value=5000)
    task = serializers.ChoiceField(choices=TASKS, default="decode")
    ctx = serializers.IntegerField(min_value=1, max_value=2**20, default=4096)
    batch = serializers.IntegerField(required=False, min_value=1, max_value=MOST_USERS)
    target_tps = serializers.FloatField(required=False, min_value=0.01, max_value=100_000, help_text="Per user.")
    slo_ms = serializers.FloatField(required=False, min_value=0.01, max_value=1e6, help_text="Per token and user.")
    quantisation = serializers.ChoiceField(choices=QUANT_NAMES, required=False)
    kv_dtype = serializers.ChoiceField(choices=list(KV_BYTES), default="fp16")
    min_quality = serializers.ChoiceField(choices=QUALITIES, default="small", help_text="The most loss allowed.")
    prompt_tokens = serializers.IntegerField(min_value=1, max_value=2**20, default=512)
    output_tokens = serializers.IntegerField(min_value=1, max_value=2**20, default=256)
    gpus = serializers.IntegerField(min_value=1, max_value=MOST_GPUS, default=1)
    parallelism = serializers.ChoiceField(choices=["tp", "pp"], default="tp")
    power_price = AmountField(default=0, help_text="AIT per kWh.")
    target_c = serializers.FloatField(min_value=30, max_value=100, default=70)


class OptimizeSerializer(LenientSerializer):
    """`workload` says what is to run; old clients send `model_name` instead, in the query or the body."""

    workload = WorkloadSerializer(required=False)
    model_name = serializers.CharField(required=False, max_length=120)
    request_data = ObjectField(required=False, help_text="Of old clients: may hold ctx, batch and the like.")
    objective = serializers.ChoiceField(choices=MODES, default="balanced")
    apply = serializers.BooleanField(default=False)


class SpreadSerializer(serializers.Serializer[Any]):
    p10 = serializers.FloatField()
    p50 = serializers.FloatField()
    p90 = serializers.FloatField()


class FitSerializer(serializers.Serializer[Any]):
    """One format of the model on this card."""

    model = serializers.CharField()
    quantisation = serializers.CharField()
    quality_loss = serializers.CharField()
    fits = serializers.BooleanField()
    need_gb = serializers.FloatField()
    headroom_gb = serializers.FloatField()
    tok_s = SpreadSerializer(allow_null=True)
    ttft_ms = serializers.FloatField(allow_null=True)


class CurrentSerializer(serializers.Serializer[Any]):
    """What the card is and is set to."""

    gpu = serializers.CharField()
    device = serializers.CharField()
    memory_gb = serializers.FloatField()
    usable_gb = serializers.FloatField()
    bandwidth_gbps = serializers.FloatField()
    fp16_tflops = serializers.FloatField()
    power_limit_w = serializers.FloatField(allow_null=True)
    power_min_w = serializers.FloatField(allow_null=True)
    power_max_w = serializers.FloatField(allow_null=True)


class RecommendedSerializer(serializers.Serializer[Any]):
    power_limit_w = serializers.FloatField(allow_null=True)
    power_limit_reason = serializers.CharField(allow_null=True, help_text="Why there is no power limit.")
    clocks = ObjectField(allow_null=True)
    clocks_reason = serializers.CharField()
    batch = serializers.IntegerField()
    quantisation = serializers.CharField()
    quality_loss = serializers.CharField()
    kv_dtype = serializers.CharField()
    ctx = serializers.IntegerField()
    ctx_max = serializers.IntegerField()
    need_gb = serializers.FloatField()
    parallelism = ObjectField()
    engine_flags = ObjectField()


class PredictedSerializer(serializers.Serializer[Any]):
    tok_s = SpreadSerializer()
    tok_s_per_user = serializers.FloatField()
    ttft_ms = serializers.FloatField(allow_null=True)
    J_per_token = serializers.FloatField(allow_null=True)
    watts = serializers.FloatField(allow_null=True)
    temp_c = serializers.FloatField(allow_null=True)


@extend_schema_serializer(many=False)
class AdviceSerializer(serializers.Serializer[Any]):
    """How to run it, what to expect, how to set it and how to undo that."""

    gpu_id = serializers.CharField()
    model_name = serializers.CharField()
    optimized = serializers.BooleanField(help_text="It fits, and the settings below are the best found.")
    latency_reduction = serializers.FloatField(help_text="Share of a step's time saved against plain fp16 as set now.")
    fits = serializers.BooleanField()
    objective = serializers.CharField()
    task = serializers.CharField()
    model = serializers.CharField()
    current = CurrentSerializer()
    recommended = RecommendedSerializer(allow_null=True)
    predicted = PredictedSerializer(allow_null=True)
    vs_current = ObjectField(allow_null=True)
    bottleneck = serializers.ChoiceField(choices=["memory_bw", "compute", "capacity", "pcie", "thermal"])
    roofline = ObjectField()
    fits_table = FitSerializer(many=True)
    alternatives = ObjectField(allow_null=True, help_text="What fits otherwise, when this does not.")
    commands = serializers.ListField(child=serializers.CharField())
    rollback = serializers.ListField(child=serializers.CharField())
    warnings = serializers.ListField(child=serializers.CharField())
    confidence = serializers.ChoiceField(choices=["catalogue", "benchmark", "sweep"])
    measurements = serializers.IntegerField()
    order = ObjectField(required=False, help_text="With apply: the order that the miner was given.")


class EarningsQuerySerializer(StrictSerializer):
    power_price = AmountField(default=300_000, help_text="AIT per kWh.")
    utilisation = serializers.DecimalField(
        max_digits=5, decimal_places=4, min_value=0, max_value=1, default=Decimal("0.5")
    )
    price = AmountField(required=False, help_text="AIT per hour; without it what the card asks now.")
    idle_w = serializers.DecimalField(required=False, max_digits=8, decimal_places=2, min_value=0, max_value=5000)
    load_w = serializers.DecimalField(required=False, max_digits=8, decimal_places=2, min_value=0, max_value=5000)


class CardEarningsSerializer(serializers.Serializer[Any]):
    """Amounts are AIT per hour."""

    gpu_id = serializers.CharField()
    price_per_hour = AmountField()
    power_price = AmountField(help_text="AIT per kWh.")
    utilisation = serializers.CharField()
    idle_w = serializers.CharField()
    load_w = serializers.CharField()
    fee_bp = serializers.IntegerField()
    energy_per_hour = AmountField()
    net_per_hour = serializers.CharField(help_text="AIT; negative is a loss.")
    break_even_price = AmountField(allow_null=True)
    recommended_price = AmountField(allow_null=True)
    inputs = ObjectField(help_text="Where each figure comes from.")
