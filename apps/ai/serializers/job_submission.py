"""Jobs as clients submit them: this API's form and the legacy forms, read into one set of terms."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core import params
from aitbc.core.parsers import plain
from aitbc.core.serializers import AmountField, LenientSerializer, ObjectField, QuantityField, shared
from apps.ai.logic.requirements import requirement_of

CURRENCIES = ("AIT", "AITBC", "aitbc_token")  # legacy clients write the one currency in three ways
CONSTRAINTS_LIMIT = 4096
DAY = 86_400


class NameList(serializers.ListField):
    """A list of names; a single string is a list of one."""

    child = serializers.CharField(max_length=200)

    def to_internal_value(self, data: Any) -> list[str]:
        return super().to_internal_value([data] if isinstance(data, str) else data)  # type: ignore[no-any-return]


class ConstraintsSerializer(LenientSerializer):
    """What the job requires of its miner; absent and null mean no constraint."""

    gpu = serializers.CharField(max_length=100, required=False, allow_null=True, allow_blank=True)
    gpu_count = serializers.IntegerField(min_value=1, max_value=64, required=False, allow_null=True)
    min_vram_gb = QuantityField(
        max_digits=9, decimal_places=3, min_value=0, max_value=4096, required=False, allow_null=True
    )
    models = NameList(required=False, allow_null=True, max_length=20)
    region = serializers.CharField(max_length=64, required=False, allow_null=True, allow_blank=True)
    cuda = serializers.RegexField(
        r"^[0-9]{1,3}(\.[0-9]{1,3}){0,2}\Z", required=False, allow_null=True, allow_blank=True,
        error_messages={"invalid": "A version, e.g. 12.4."}, help_text="As miners report it, e.g. 12.4.",
    )  # fmt: skip
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

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        payload = _payload_of(attrs)
        task_type = _task_type_of(attrs, payload)
        constraints = attrs.get("constraints") or {}
        return {
            "task_type": task_type,
            "model": _model_of(attrs, payload),
            "payload": payload,
            "input_sha256": attrs.get("input_sha256"),
            "constraints": constraints,
            "requirement": requirement_of(task_type, _validated_constraints(constraints)),
            "priority": attrs["priority"],
            "payment_amount": attrs["payment_amount"] or 0,
            "payment_currency": attrs["payment_currency"],
            "max_attempts": attrs.get("max_attempts", params.get("jobs.max_attempts")),
            **_limits_of(attrs),
        }


def _payload_of(attrs: dict[str, Any]) -> dict[str, Any]:
    for name in ("payload", "task_data"):
        if name in attrs:
            return dict(attrs[name])
    if "prompt" in attrs:
        payload = {"type": attrs.get("job_type") or attrs.get("task_type"), "prompt": attrs["prompt"]}
        return payload | ({"model": attrs["model"]} if "model" in attrs else {})
    return {}


def _task_type_of(attrs: dict[str, Any], payload: dict[str, Any]) -> str:
    """The kind of work; a payload with model and prompt but no type is inference, as legacy miners take it."""
    name = attrs.get("task_type") or attrs.get("job_type") or payload.get("type")
    if name is None and {"model", "prompt"} <= payload.keys():
        name = "inference"
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 100:
        raise serializers.ValidationError({"task_type": ["Name the kind of work, in at most 100 characters."]})
    return name.strip()


def _model_of(attrs: dict[str, Any], payload: dict[str, Any]) -> str:
    name = attrs.get("model") or payload.get("model")
    return name[:200] if isinstance(name, str) else ""


def _validated_constraints(constraints: dict[str, Any]) -> dict[str, Any]:
    if not constraints:
        return {}
    if len(str(constraints)) > CONSTRAINTS_LIMIT:
        raise serializers.ValidationError({"constraints": ["They are too long."]})
    try:
        return dict(shared(ConstraintsSerializer).run_validation(constraints))
    except serializers.ValidationError as error:
        raise serializers.ValidationError({"constraints": error.detail}) from None


def read_terms(body: Any) -> dict[str, Any]:
    """Return the arguments of services.jobs.submit that a request's body has. Raises ValidationError."""
    return dict(plain(dict(shared(JobSubmitSerializer).run_validation(body))))


def _limits_of(attrs: dict[str, Any]) -> dict[str, int]:
    """The five limits in seconds; they default to ttl_seconds and to the parameter jobs.lease_timeout_s."""
    ttl, lease = attrs["ttl_seconds"], params.get("jobs.lease_timeout_s")
    return {
        "ttl_seconds": ttl,
        "queue_seconds": attrs.get("queue_seconds", ttl),
        "start_seconds": attrs.get("start_seconds", lease),
        "heartbeat_seconds": attrs.get("heartbeat_seconds", lease),
        "execution_seconds": min(attrs.get("execution_seconds", ttl), ttl, DAY),
    }
