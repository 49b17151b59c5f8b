"""Jobs as clients write them: the seed's dialects read into one set of terms."""

from __future__ import annotations

from functools import cache
from typing import Any

from rest_framework import serializers

from aitbc.core import params
from aitbc.core.parsers import plain
from aitbc.core.serializers import AmountField, LenientSerializer, ObjectField, QuantityField
from apps.ai.logic.requirements import requirement_of

CURRENCIES = ("AIT", "AITBC", "aitbc_token")  # the seed's clients write the one currency in three ways
CONSTRAINTS_LIMIT = 4096
DAY = 86_400


class NameList(serializers.ListField):
    """A list of names; one name alone will do."""

    child = serializers.CharField(max_length=200)

    def to_internal_value(self, data: Any) -> list[str]:
        return super().to_internal_value([data] if isinstance(data, str) else data)  # type: ignore[no-any-return]


class ConstraintsSerializer(LenientSerializer):
    """What the job asks of its miner; what is absent or null does not matter."""

    gpu = serializers.CharField(max_length=100, required=False, allow_null=True, allow_blank=True)
    gpu_count = serializers.IntegerField(min_value=1, max_value=64, required=False, allow_null=True)
    min_vram_gb = QuantityField(
        max_digits=9, decimal_places=3, min_value=0, max_value=4096, required=False, allow_null=True
    )
    models = NameList(required=False, allow_null=True, max_length=20)
    region = serializers.CharField(max_length=64, required=False, allow_null=True, allow_blank=True)
    cuda = serializers.CharField(max_length=32, required=False, allow_null=True, allow_blank=True)
    max_price = AmountField(required=False, allow_null=True, help_text="AIT per hour.")
    min_reputation = QuantityField(
        max_digits=6, decimal_places=5, min_value=0, max_value=1, required=False, allow_null=True
    )
    data_class = serializers.CharField(max_length=32, required=False, allow_null=True, allow_blank=True)
    miner_id = serializers.UUIDField(required=False, allow_null=True)
    booking_id = serializers.UUIDField(
        required=False, allow_null=True, help_text="An active booking of yours: only its miner gets the job."
    )

    def validate_miner_id(self, value: Any) -> str | None:
        return str(value) if value else None

    def validate_booking_id(self, value: Any) -> str | None:
        return str(value) if value else None


class JobSubmitSerializer(LenientSerializer):
    """A job, written as {task_type, payload}, {task_type, task_data}, {job_type, prompt} or {payload: {type, …}}."""

    task_type = serializers.CharField(max_length=100, required=False)
    payload = ObjectField(required=False)
    task_data = ObjectField(required=False)
    job_type = serializers.CharField(max_length=100, required=False)
    prompt = serializers.CharField(required=False, trim_whitespace=False)
    model = serializers.CharField(max_length=200, required=False)
    input_sha256 = serializers.RegexField(r"\A[0-9a-f]{64}\Z", required=False)
    constraints = ObjectField(required=False, allow_null=True)
    priority = serializers.IntegerField(min_value=0, max_value=10, default=0)
    ttl_seconds = serializers.IntegerField(min_value=1, max_value=7 * DAY, default=900)
    queue_seconds = serializers.IntegerField(min_value=1, max_value=7 * DAY, required=False)
    start_seconds = serializers.IntegerField(min_value=1, max_value=DAY, required=False)
    heartbeat_seconds = serializers.IntegerField(min_value=5, max_value=900, required=False)
    execution_seconds = serializers.IntegerField(min_value=1, max_value=DAY, required=False)
    max_attempts = serializers.IntegerField(min_value=1, max_value=10, required=False)
    payment_amount = AmountField(default=0, allow_null=True)
    payment_currency = serializers.ChoiceField(choices=CURRENCIES, default="AIT")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        payload = _payload_of(given)
        task_type = _task_type_of(given, payload)
        constraints = given.get("constraints") or {}
        return {
            "task_type": task_type,
            "model": _model_of(given, payload),
            "payload": payload,
            "input_sha256": given.get("input_sha256"),
            "constraints": constraints,
            "requirement": requirement_of(task_type, _read_constraints(constraints)),
            "priority": given["priority"],
            "payment_amount": given["payment_amount"] or 0,
            "payment_currency": given["payment_currency"],
            "max_attempts": given.get("max_attempts", params.get("jobs.max_attempts")),
            **_limits_of(given),
        }


def _payload_of(given: dict[str, Any]) -> dict[str, Any]:
    for name in ("payload", "task_data"):
        if name in given:
            return dict(given[name])
    if "prompt" in given:
        spoken = {"type": given.get("job_type") or given.get("task_type"), "prompt": given["prompt"]}
        return spoken | ({"model": given["model"]} if "model" in given else {})
    return {}


def _task_type_of(given: dict[str, Any], payload: dict[str, Any]) -> str:
    """What kind of work it is; model and prompt without a name are inference, as the seed's miners read them."""
    named = given.get("task_type") or given.get("job_type") or payload.get("type")
    if named is None and {"model", "prompt"} <= payload.keys():
        named = "inference"
    if not isinstance(named, str) or not 0 < len(named.strip()) <= 100:
        raise serializers.ValidationError({"task_type": ["Name the kind of work, in at most 100 characters."]})
    return named.strip()


def _model_of(given: dict[str, Any], payload: dict[str, Any]) -> str:
    named = given.get("model") or payload.get("model")
    return named[:200] if isinstance(named, str) else ""


def _read_constraints(constraints: dict[str, Any]) -> dict[str, Any]:
    if not constraints:
        return {}
    if len(str(constraints)) > CONSTRAINTS_LIMIT:
        raise serializers.ValidationError({"constraints": ["They are too long."]})
    try:
        return dict(_constraints_reader().run_validation(constraints))
    except serializers.ValidationError as error:
        raise serializers.ValidationError({"constraints": error.detail}) from None


# Building a serializer's fields costs more than reading with them, and reading leaves no trace in it:
# the busiest door keeps one reader of each kind per process.
@cache
def _reader() -> JobSubmitSerializer:
    return JobSubmitSerializer()


@cache
def _constraints_reader() -> ConstraintsSerializer:
    return ConstraintsSerializer()


def read_terms(body: Any) -> dict[str, Any]:
    """The terms of a job from a request's body; raises ValidationError."""
    return dict(plain(dict(_reader().run_validation(body))))


def _limits_of(given: dict[str, Any]) -> dict[str, int]:
    """The five limits; what the client leaves open follows its whole time and the governed lease time."""
    ttl, lease = given["ttl_seconds"], params.get("jobs.lease_timeout_s")
    return {
        "ttl_seconds": ttl,
        "queue_seconds": given.get("queue_seconds", ttl),
        "start_seconds": given.get("start_seconds", lease),
        "heartbeat_seconds": given.get("heartbeat_seconds", lease),
        "execution_seconds": min(given.get("execution_seconds", ttl), ttl, DAY),
    }
