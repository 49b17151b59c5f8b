"""Jobs as clients read them, under this API's names and the legacy ones."""

from __future__ import annotations

from functools import cache
from typing import Any

from rest_framework import serializers

from aitbc.core.rows import RowWriter
from aitbc.core.serializers import (
    AmountField,
    LenientSerializer,
    ObjectField,
    ResourceSerializer,
    TimestampField,
    shared,
)
from apps.ai.models import AIJob, JobEvent


class NullableTextField(serializers.CharField):
    """A text column; an empty text is null in JSON."""

    def to_representation(self, value: Any) -> Any:
        return super().to_representation(value) or None


class JobSerializer(ResourceSerializer):
    """A job without its payload, under this API's names and the legacy ones."""

    job_id = serializers.UUIDField(source="id", read_only=True)
    client_id = serializers.UUIDField(source="owner_id", read_only=True)
    status = serializers.CharField(source="state", read_only=True)
    requested_at = TimestampField(source="created_at", read_only=True)
    assigned_miner_id = serializers.UUIDField(source="miner_id", read_only=True, allow_null=True)
    error = NullableTextField(read_only=True, allow_null=True)
    outcome = NullableTextField(read_only=True, allow_null=True, help_text="Why it ended without a result; a code.")
    max_price = AmountField(read_only=True, allow_null=True, help_text="AIT per hour: no miner above it gets the job.")
    max_price_source = serializers.CharField(
        read_only=True, help_text='"client" by its constraints, "market" without one; empty where there is none.'
    )

    class Meta:
        model = AIJob
        fields = [
            "id", "job_id", "client_id", "state", "status", "task_type", "model", "constraints", "priority",
            "attempt", "max_attempts", "progress", "progress_note", "assigned_miner_id", "error", "outcome",
            "ttl_seconds", "queue_seconds", "execution_seconds", "max_price", "max_price_source",
            "payment_amount", "payment_currency",
            "payment_status", "payment_id", "paid", "fee", "refunded", "receipt_id", "input_sha256", "input_size",
            "created_at", "requested_at", "queued_at", "started_at", "completed_at", "expires_at",
        ]  # fmt: skip
        read_only_fields = fields


def represent(job: AIJob) -> dict[str, Any]:
    """Return the job as JobSerializer writes it, by the instance that all submits share."""
    return dict(shared(JobSerializer).to_representation(job))


@cache
def row_writer() -> RowWriter:
    """Return what writes a job of a list, from a row of values and not from a model."""
    return RowWriter(JobSerializer)


class JobDetailSerializer(JobSerializer):
    """A job with its payload, which is null when it is stored as an artifact."""

    class Meta(JobSerializer.Meta):
        fields = [*JobSerializer.Meta.fields, "payload"]
        read_only_fields = fields


class JobEventSerializer(ResourceSerializer):
    """One transition: from which state to which, who made it, why and when."""

    class Meta:
        model = JobEvent
        fields = ["seq", "from_state", "to_state", "actor", "reason", "detail", "at"]
        read_only_fields = fields


class JobEventsSerializer(serializers.Serializer[Any]):
    """All transitions of a job."""

    job_id = serializers.UUIDField()
    items = JobEventSerializer(many=True)


class ArtifactLinkSerializer(serializers.Serializer[Any]):
    sha256 = serializers.CharField()
    size = serializers.IntegerField()
    url = serializers.CharField()


class JobResultSerializer(serializers.Serializer[Any]):
    """How a job ended: a result, or an error and no result."""

    id = serializers.UUIDField()
    job_id = serializers.UUIDField()
    state = serializers.CharField()
    status = serializers.CharField()
    result = serializers.JSONField(help_text="As the miner sent it; null when there is none.")
    error = serializers.CharField(allow_null=True)
    outcome = serializers.CharField(allow_null=True)
    receipt_id = serializers.CharField(allow_null=True)
    completed_at = TimestampField()
    attempt = serializers.IntegerField()
    metered_ms = serializers.IntegerField(required=False)
    result_sha256 = serializers.CharField(required=False)
    metrics = ObjectField(required=False, help_text="What the miner claims.")
    artifact = ArtifactLinkSerializer(required=False, help_text="The artifact of a large result.")
    receipt = ObjectField(required=False, help_text="The receipt in the legacy format, once issued.")


class JobReceiptSerializer(serializers.Serializer[Any]):
    """The signed receipt; the bundle proves it offline once a block holds it."""

    receipt_id = serializers.CharField()
    job_id = serializers.UUIDField()
    issued_at = TimestampField()
    receipt = ObjectField(help_text="What the signature covers, as canonical JSON.")
    signature = ObjectField()
    tx_hash = serializers.CharField(help_text="Its leaf in the transparency log.")
    bundle_url = serializers.CharField()


class JobPaymentSerializer(serializers.Serializer[Any]):
    """The payment of a job: amount = paid + fee + refunded once it has ended."""

    job_id = serializers.UUIDField()
    payment_id = serializers.UUIDField(allow_null=True)
    status = serializers.CharField()
    amount = AmountField()
    currency = serializers.CharField()
    paid = AmountField()
    fee = AmountField()
    refunded = AmountField()
    created_at = TimestampField(allow_null=True)
    ended_at = TimestampField(allow_null=True)


class ConstraintCheckSerializer(serializers.Serializer[Any]):
    """One constraint: how many online miners pass it, and how many would fit without it."""

    name = serializers.CharField()
    value = serializers.JSONField(help_text="As it is matched: rounded onto the grid; max_price is AIT per hour.")
    if_relaxed = serializers.IntegerField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), "pass": serializers.IntegerField()}


class JobExplanationSerializer(serializers.Serializer[Any]):
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
    """The reason, which is optional."""

    reason = serializers.CharField(max_length=300, default="cancelled by its owner")
