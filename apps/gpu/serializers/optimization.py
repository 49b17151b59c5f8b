"""The workload to optimise for, and the recommendation."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from aitbc.core.serializers import AmountField, LenientSerializer, ObjectField, StrictSerializer
from apps.gpu.logic.llm import KV_BYTES, QUANT_NAMES
from apps.gpu.logic.optimizer import MOST_GPUS, MOST_USERS, QUALITIES, TASKS
from apps.gpu.logic.power import MODES


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
    """`workload` says what is to run; legacy clients send `model_name` instead, in the query or the body."""

    workload = WorkloadSerializer(required=False)
    model_name = serializers.CharField(required=False, max_length=120)
    request_data = ObjectField(required=False, help_text="Of legacy clients: may hold ctx, batch and the like.")
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
    order = ObjectField(required=False, help_text="With apply: the command to the miner.")
