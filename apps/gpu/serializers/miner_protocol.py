"""What miners send and read. Their routes are the seed's wire: unknown fields are ignored, many dialects are read."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import AmountField, LenientSerializer, ResourceSerializer, StrictSerializer
from apps.gpu.models import Backend, GPURegistry, Lease, Miner


class AnyField(serializers.JSONField):
    """Whatever JSON a client sends here."""

    def get_default(self) -> Any:
        return None


class MinerIdField(serializers.CharField):
    """A miner's id as text, however it was typed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, allow_null=True, allow_blank=True, max_length=128, **options)


class RegisterSerializer(LenientSerializer):
    miner_id = MinerIdField()
    capabilities = AnyField(required=False, allow_null=True)
    concurrency = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=1024)
    region = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=100)


class RunningSerializer(LenientSerializer):
    job_id = serializers.UUIDField()
    attempt = serializers.IntegerField(required=False, allow_null=True)
    progress = serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=1)
    note = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=200)


class HeartbeatSerializer(LenientSerializer):
    """Only `jobs` and `bookings_ready` are read closely; the rest of a heartbeat is kept as the miner's own claim."""

    jobs = RunningSerializer(many=True, required=False, allow_null=True)
    bookings_ready = serializers.ListField(
        child=serializers.UUIDField(), required=False, allow_null=True, max_length=256,
        help_text="Bookings whose cards are ready for their renter.",
    )  # fmt: skip


class PollSerializer(LenientSerializer):
    max_wait_seconds = serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=3600)
    max_jobs = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=64)
    attention = serializers.IntegerField(
        required=False, allow_null=True, min_value=0,
        help_text="As last heard in a heartbeat's answer: the poll ends early (`beat_now`) when it has risen since.",
    )  # fmt: skip


class ResultSerializer(LenientSerializer):
    result = AnyField(allow_null=False)
    metrics = AnyField(required=False, allow_null=True)
    attempt = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=32767)
    success = serializers.BooleanField(required=False, allow_null=True)
    error = AnyField(required=False, allow_null=True)


class FailSerializer(LenientSerializer):
    code = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=100)
    error_code = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=100)
    message = serializers.CharField(required=False, allow_blank=True, allow_null=True)
    error_message = serializers.CharField(required=False, allow_blank=True, allow_null=True)
    error = AnyField(required=False, allow_null=True)
    attempt = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=32767)


class PeriodSerializer(LenientSerializer):
    from_time = serializers.DateTimeField(required=False, allow_null=True)
    to_time = serializers.DateTimeField(required=False, allow_null=True)


class HistorySerializer(LenientSerializer):
    limit = serializers.IntegerField(required=False, min_value=1, max_value=200, default=20)
    offset = serializers.IntegerField(required=False, min_value=0, max_value=10_000, default=0)
    job_status = serializers.CharField(required=False, max_length=20)
    status = serializers.CharField(required=False, max_length=20)
    job_type = serializers.CharField(required=False, max_length=100)
    type = serializers.CharField(required=False, max_length=100)
    min_reward = AmountField(required=False, help_text="Only jobs that offered at least this, in AIT.")

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The shell of the predecessor says `type` and `status`, its server read `job_type` and `job_status`."""
        for ours, theirs in (("job_status", "status"), ("job_type", "type")):
            asked.setdefault(ours, asked.get(theirs))
        return asked


class GpuOfMinerSerializer(ResourceSerializer):
    id = serializers.CharField(read_only=True)
    model = serializers.CharField(source="name", read_only=True)
    status = serializers.CharField(source="state", read_only=True)
    price_per_hour = AmountField(source="miner.price", read_only=True, allow_null=True)
    region = serializers.CharField(source="miner.region", read_only=True)
    memory_gb = serializers.SerializerMethodField()

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

    def get_memory_gb(self, card: GPURegistry) -> int:
        return card.memory_mb // 1024


class MinerSerializer(ResourceSerializer):
    miner_id = serializers.CharField(source="name", read_only=True)
    status = serializers.CharField(source="state", read_only=True)
    price_per_hour = AmountField(source="price", read_only=True, allow_null=True)

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
            "created_at",
        ]


class MinerFilterSerializer(StrictSerializer):
    state = serializers.CharField(required=False, max_length=20)
    region = serializers.CharField(required=False, max_length=100)


class LeaseSerializer(ResourceSerializer):
    id = serializers.UUIDField(source="job_id", read_only=True)
    status = serializers.CharField(source="state", read_only=True)

    class Meta:
        model = Lease
        fields = [
            "id",
            "job_id",
            "attempt",
            "state",
            "status",
            "rate",
            "granted_at",
            "started_at",
            "lease_until",
            "ended_at",
            "code",
            "message",
            "metered_ms",
            "progress",
            "result_sha256",
            "result_size",
        ]


class BackendInputSerializer(StrictSerializer):
    url = serializers.CharField(max_length=500)
    kind = serializers.ChoiceField(choices=Backend.Kind.choices, default=Backend.Kind.OPENAI)
    concurrency = serializers.IntegerField(min_value=1, max_value=64, default=1)
    price = AmountField(required=False, allow_null=True, default=None)
    region = serializers.CharField(required=False, allow_blank=True, max_length=100, default="")


class BackendSerializer(ResourceSerializer):
    miner_id = serializers.UUIDField(read_only=True)
    models = serializers.ListField(source="miner.offer.models", read_only=True)
    state = serializers.CharField(source="miner.state", read_only=True)

    class Meta:
        model = Backend
        fields = [
            "id",
            "url",
            "kind",
            "miner_id",
            "models",
            "state",
            "healthy",
            "last_error",
            "polled_at",
            "allow_listed",
            "created_at",
        ]
