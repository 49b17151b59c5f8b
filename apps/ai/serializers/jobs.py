"""Jobs as clients read them, in this API's words and the seed's."""

from __future__ import annotations

from functools import cache
from typing import Any

from rest_framework import serializers

from aitbc.core.rows import RowWriter
from aitbc.core.serializers import AmountField, LenientSerializer, ObjectField, ResourceSerializer
from apps.ai.models import AIJob, JobEvent


class TextOrNull(serializers.CharField):
    """A text column; an empty one is null."""

    def to_representation(self, value: Any) -> str | None:
        return super().to_representation(value) or None


class JobSerializer(ResourceSerializer):
    """A job without its payload, under the names that old and new clients read."""

    job_id = serializers.UUIDField(source="id", read_only=True)
    client_id = serializers.UUIDField(source="owner_id", read_only=True)
    status = serializers.CharField(source="state", read_only=True)
    requested_at = serializers.DateTimeField(source="created_at", read_only=True)
    assigned_miner_id = serializers.UUIDField(source="miner_id", read_only=True, allow_null=True)
    error = TextOrNull(read_only=True, allow_null=True)
    outcome = TextOrNull(read_only=True, allow_null=True, help_text="Why it ended without a result; a code.")

    class Meta:
        model = AIJob
        fields = [
            "id", "job_id", "client_id", "state", "status", "task_type", "model", "constraints", "priority",
            "attempt", "max_attempts", "progress", "progress_note", "assigned_miner_id", "error", "outcome",
            "ttl_seconds", "queue_seconds", "execution_seconds", "payment_amount", "payment_currency",
            "payment_status", "payment_id", "paid", "fee", "refunded", "receipt_id", "input_sha256", "input_size",
            "created_at", "requested_at", "queued_at", "started_at", "completed_at", "expires_at",
        ]  # fmt: skip
        read_only_fields = fields


@cache
def _writer() -> JobSerializer:
    return JobSerializer()


def written(job: AIJob) -> dict[str, Any]:
    """The job as JobSerializer writes it; one writer per process, as building its fields costs more than using them."""
    return dict(_writer().to_representation(job))


@cache
def row_writer() -> RowWriter:
    """Writes a job in a list."""
    return RowWriter(JobSerializer)


class JobDetailSerializer(JobSerializer):
    """A job with its payload (null when it is kept as an artifact)."""

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "payload"]
        read_only_fields = fields


class JobEventSerializer(ResourceSerializer):
    """One move: from where, to where, who, why, when."""

    class Meta:
        model = JobEvent
        fields = ["seq", "from_state", "to_state", "actor", "reason", "detail", "at"]
        read_only_fields = fields


class JobEventsSerializer(serializers.Serializer):
    """A job's whole timeline."""

    job_id = serializers.UUIDField()
    items = JobEventSerializer(many=True)


class ArtifactLinkSerializer(serializers.Serializer):
    sha256 = serializers.CharField()
    size = serializers.IntegerField()
    url = serializers.CharField()


class JobResultSerializer(serializers.Serializer):
    """How a job came out: a result, or an error and no result."""

    id = serializers.UUIDField()
    job_id = serializers.UUIDField()
    state = serializers.CharField()
    status = serializers.CharField()
    result = serializers.JSONField(help_text="As the miner sent it; null when there is none.")
    error = serializers.CharField(allow_null=True)
    outcome = serializers.CharField(allow_null=True)
    receipt_id = serializers.CharField(allow_null=True)
    completed_at = serializers.DateTimeField()
    attempt = serializers.IntegerField()
    metered_ms = serializers.IntegerField(required=False)
    result_sha256 = serializers.CharField(required=False)
    metrics = ObjectField(required=False, help_text="What the miner claims.")
    artifact = ArtifactLinkSerializer(required=False, help_text="Where a large result lies as a file.")
    receipt = ObjectField(required=False, help_text="The receipt in the seed's format, once issued.")


class JobReceiptSerializer(serializers.Serializer):
    """The signed receipt; the bundle proves it offline once a block holds it."""

    receipt_id = serializers.CharField()
    job_id = serializers.UUIDField()
    issued_at = serializers.DateTimeField()
    receipt = ObjectField(help_text="What the signature covers, as canonical JSON.")
    signature = ObjectField()
    tx_hash = serializers.CharField(help_text="Its leaf in the transparency log.")
    bundle_url = serializers.CharField()


class JobPaymentSerializer(serializers.Serializer):
    """The money of a job: amount = paid + fee + refunded once it is over."""

    job_id = serializers.UUIDField()
    payment_id = serializers.UUIDField(allow_null=True)
    status = serializers.CharField()
    amount = AmountField()
    currency = serializers.CharField()
    paid = AmountField()
    fee = AmountField()
    refunded = AmountField()
    created_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class ConstraintCheckSerializer(serializers.Serializer):
    """One constraint: how many online miners pass it, and what giving it up would gain."""

    name = serializers.CharField()
    value = serializers.JSONField(help_text="As it is matched: rounded onto the grid.")
    if_relaxed = serializers.IntegerField()

    def get_fields(self) -> dict[str, serializers.Field]:
        return {**super().get_fields(), "pass": serializers.IntegerField()}


class JobExplanationSerializer(serializers.Serializer):
    """Why a job waits, or that it does not."""

    job_id = serializers.UUIDField()
    state = serializers.CharField()
    summary = serializers.CharField()
    waited_seconds = serializers.FloatField()
    online_miners = serializers.IntegerField(required=False)
    fitting_miners = serializers.IntegerField(required=False)
    constraints = ConstraintCheckSerializer(many=True, required=False)
    position = serializers.IntegerField(required=False, allow_null=True)
    ahead = serializers.IntegerField(required=False, allow_null=True)
    estimate_seconds = serializers.FloatField(required=False, allow_null=True)


class CancelSerializer(LenientSerializer):
    """Why, if the owner cares to say."""

    reason = serializers.CharField(max_length=300, default="cancelled by its owner")
