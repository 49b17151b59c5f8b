"""Miners as their owners see them: machines, jobs and earnings."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import AmountField, LenientSerializer, ResourceSerializer, StrictSerializer, TimestampField
from apps.gpu.models import GPURegistry, Miner
from apps.gpu.serializers.leases import LeaseSerializer
from apps.gpu.states import MinerState


class PeriodSerializer(LenientSerializer):
    from_time = TimestampField(required=False, allow_null=True)
    to_time = TimestampField(required=False, allow_null=True)


class HistorySerializer(LenientSerializer):
    limit = serializers.IntegerField(required=False, min_value=1, max_value=200, default=20)
    offset = serializers.IntegerField(required=False, min_value=0, max_value=10_000, default=0)
    job_status = serializers.CharField(required=False, max_length=20)
    status = serializers.CharField(required=False, max_length=20)
    job_type = serializers.CharField(required=False, max_length=100)
    type = serializers.CharField(required=False, max_length=100)
    min_reward = AmountField(required=False, help_text="Only jobs that offered at least this, in AIT.")

    def validate(self, query: dict[str, Any]) -> dict[str, Any]:
        """The legacy shell sends `type` and `status`, the legacy server read `job_type` and `job_status`."""
        for ours, theirs in (("job_status", "status"), ("job_type", "type")):
            query.setdefault(ours, query.get(theirs))
        return query


class GpuOfMinerSerializer(ResourceSerializer):
    id = serializers.CharField(read_only=True)
    model = serializers.CharField(source="name", read_only=True)
    status = serializers.CharField(source="state", read_only=True)
    price_per_hour = AmountField(source="miner.price", read_only=True, allow_null=True)
    region = serializers.CharField(source="miner.region", read_only=True)
    memory_mb = serializers.SerializerMethodField(help_text="null: not known.")
    memory_gb = serializers.SerializerMethodField(help_text="null: not known.")

    class Meta:
        model = GPURegistry
        fields = [
            "id",
            "model",
            "name",
            "memory_mb",
            "memory_gb",
            "uuid",
            "driver",
            "cuda",
            "architecture",
            "status",
            "price_per_hour",
            "region",
            "created_at",
        ]

    def get_memory_mb(self, gpu: GPURegistry) -> int | None:
        return gpu.memory_mb or None

    def get_memory_gb(self, gpu: GPURegistry) -> int | None:
        return gpu.memory_mb // 1024 if gpu.memory_mb else None


class MinerSerializer(ResourceSerializer):
    miner_id = serializers.CharField(source="name", read_only=True)
    status = serializers.CharField(source="state", read_only=True)
    price_per_hour = AmountField(source="price", read_only=True, allow_null=True)
    parked_results = serializers.SerializerMethodField(help_text="Outcomes it could not send, as it last reported.")

    class Meta:
        model = Miner
        fields = [
            "id",
            "miner_id",
            "state",
            "status",
            "capabilities",
            "concurrency",
            "region",
            "price_per_hour",
            "reputation",
            "last_heartbeat",
            "parked_results",
            "created_at",
        ]

    def get_parked_results(self, miner: Miner) -> int | None:
        count = miner.metrics.get("parked_results")
        return count if type(count) is int and count >= 0 else None


class MinerFilterSerializer(StrictSerializer):
    state = serializers.CharField(required=False, max_length=20)
    region = serializers.CharField(required=False, max_length=100)


class MinerJobSerializer(LeaseSerializer):
    """One attempt of a job, with what ai knows of it (null while ai is down)."""

    task_type = serializers.CharField(allow_null=True)
    reward = serializers.CharField(allow_null=True, help_text="The most the client pays, in AIT.")

    class Meta(LeaseSerializer.Meta):
        fields = [*LeaseSerializer.Meta.fields, "task_type", "reward"]


class MinerJobsSerializer(serializers.Serializer[Any]):
    """A page of what a miner did."""

    miner_id = serializers.CharField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()
    total = serializers.IntegerField()
    jobs = MinerJobSerializer(many=True)


class MinerEarnedSerializer(serializers.Serializer[Any]):
    """What one job brought."""

    job_id = serializers.UUIDField()
    amount = serializers.CharField()
    currency = serializers.CharField()
    payment_status = serializers.CharField()


class MinerEarningsSerializer(serializers.Serializer[Any]):
    """What a miner was paid, after fees, and what it delivered that is not settled yet."""

    miner_id = serializers.CharField()
    currency = serializers.CharField()
    total_earnings = serializers.CharField()
    paid_earnings = serializers.CharField()
    pending_earnings = serializers.CharField()
    fees = serializers.CharField()
    completed_jobs = serializers.IntegerField()
    from_time = TimestampField(allow_null=True)
    to_time = TimestampField(allow_null=True)
    earnings_history = MinerEarnedSerializer(many=True)


class OfferedSerializer(serializers.Serializer[Any]):
    """What a miner offers now."""

    status = serializers.ChoiceField(["ok"])
    miner_id = serializers.CharField()
    capabilities = serializers.JSONField(help_text="As they were sent.")
    concurrency = serializers.IntegerField()
    session_token = serializers.CharField()


class LeftSerializer(serializers.Serializer[Any]):
    """A miner that has left, or leaves when its leases end."""

    status = serializers.ChoiceField(["ok"])
    miner_id = serializers.CharField()
    state = serializers.ChoiceField(MinerState.choices)
    message = serializers.CharField()
