"""What miner programs send and receive. Unknown fields are ignored, and several generations of clients are read."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from aitbc.core.serializers import LenientSerializer, ObjectField, TimestampField
from apps.gpu.logic.miner_payloads import CODES
from apps.gpu.serializers.fields import AnyField, MinerIdField


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
    """Only `jobs` and `bookings_ready` are read closely; the rest of a heartbeat is stored as the miner's own claim."""

    # Not `many=True`, which would let each job be null, too.
    jobs: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=RunningSerializer(), required=False, allow_null=True
    )
    bookings_ready = serializers.ListField(
        child=serializers.UUIDField(), required=False, allow_null=True, max_length=256,
        help_text="Bookings whose cards are ready for their renter.",
    )  # fmt: skip


class PollSerializer(LenientSerializer):
    max_wait_seconds = serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=3600)
    max_jobs = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=64)
    attention = serializers.IntegerField(
        required=False, allow_null=True, min_value=0,
        help_text="From the last heartbeat's answer: the poll ends early (`beat_now`) when it has risen since.",
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


class PaceSerializer(serializers.Serializer[Any]):
    """How often a miner should send heartbeats and poll."""

    heartbeat_seconds = serializers.IntegerField()
    poll_seconds = serializers.IntegerField(help_text="For miners that do not wait in a long poll.")


class RegisteredSerializer(PaceSerializer):
    """A miner as it is known from now on."""

    status = serializers.ChoiceField(["ok"])
    miner_id = serializers.CharField(help_text="Its name; unique per owner.")
    id = serializers.UUIDField()
    session_token = serializers.CharField(help_text="For legacy clients; nothing is decided by it.")
    gpu_count = serializers.IntegerField()
    concurrency = serializers.IntegerField()


class HeldSerializer(serializers.Serializer[Any]):
    """A lease that the heartbeat has pushed on."""

    job_id = serializers.UUIDField()
    attempt = serializers.IntegerField()
    lease_until = TimestampField()


@extend_schema_serializer(component_name="ToldOrder")
class OpenCommandSerializer(serializers.Serializer[Any]):
    """A command to the miner beside its jobs."""

    order_id = serializers.UUIDField()
    kind = serializers.CharField()
    gpu_id = serializers.UUIDField(allow_null=True)
    body = ObjectField()
    signature = ObjectField()
    due_at = TimestampField()


@extend_schema_serializer(component_name="ToldBooking")
class MinerBookingSerializer(serializers.Serializer[Any]):
    """What is booked of the miner's cards; it sends `bookings_ready` once they are ready for the renter."""

    booking_id = serializers.UUIDField()
    gpu_ids = serializers.ListField(child=serializers.UUIDField())
    gpu_uuids = serializers.ListField(child=serializers.CharField())
    places = serializers.ListField(child=serializers.IntegerField(), help_text="Positions in the miner's own list.")
    starts_at = TimestampField()
    ends_at = TimestampField()
    ready = serializers.BooleanField()


class PulseSerializer(PaceSerializer):
    """The answer to a heartbeat: which jobs to stop, which to write a checkpoint of, which are still held."""

    status = serializers.ChoiceField(["ok"])
    miner_id = serializers.CharField()
    cancel = serializers.ListField(child=serializers.UUIDField())
    checkpoint = serializers.ListField(child=serializers.UUIDField())
    leases = HeldSerializer(many=True)
    bookings = MinerBookingSerializer(many=True)
    orders = OpenCommandSerializer(many=True)
    attention = serializers.IntegerField(help_text="Send it with a poll: a larger one here means, beat at once.")


class InputSerializer(serializers.Serializer[Any]):
    """Where a large input is downloaded."""

    sha256 = serializers.CharField()
    size = serializers.IntegerField()
    url = serializers.CharField()


class AssignedJobSerializer(serializers.Serializer[Any]):
    """A job in a miner's hands; `attempt` comes back with the result and must then match."""

    job_id = serializers.UUIDField()
    id = serializers.UUIDField()
    attempt = serializers.IntegerField()
    task_type = serializers.CharField()
    payload = serializers.JSONField(help_text="Null when the input is a file.")
    constraints = ObjectField()
    model = serializers.CharField(allow_null=True)
    lease_until = TimestampField()
    lease_seconds = serializers.IntegerField()
    heartbeat_seconds = serializers.IntegerField(help_text="How often to send a sign of life while it runs.")
    timeout_seconds = serializers.IntegerField(help_text="The longest it may run.")
    input = InputSerializer(required=False)
    booking_id = serializers.UUIDField(required=False, help_text="The booking that this job belongs to.")
    gpu_uuids = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="The only cards it may use; absent: any."
    )


class AssignedSerializer(AssignedJobSerializer):
    """The first job taken; with `max_jobs` above 1 all of them are in `jobs`."""

    jobs = AssignedJobSerializer(many=True, required=False)


class CalledSerializer(serializers.Serializer[Any]):
    """No work, but a command or a booking: send a heartbeat at once. Only a poll with `attention` is answered so."""

    job_id = serializers.UUIDField(allow_null=True, help_text="Always null.")
    jobs = serializers.ListField(child=serializers.UUIDField(), help_text="Always empty.")
    beat_now = serializers.BooleanField()


class AcceptedSerializer(serializers.Serializer[Any]):
    """A result, or a failure that was sent as one, is taken in."""

    status = serializers.ChoiceField(["ok"])
    job_id = serializers.UUIDField()
    result = serializers.ChoiceField(["accepted", "failure recorded"])
    error = serializers.ChoiceField(["recorded"], required=False, help_text="Only with a failure.")


class JobGivenUpSerializer(serializers.Serializer[Any]):
    """The job is taken back from the miner."""

    status = serializers.ChoiceField(["ok"])
    job_id = serializers.UUIDField()
    code = serializers.ChoiceField(CODES, help_text="The reason as it was understood.")
    error = serializers.ChoiceField(["recorded"])
