"""Commands to miners, their answers, and the scan that waits for one."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from aitbc.core.serializers import LenientSerializer, ObjectField, ResourceSerializer, StrictSerializer, TimestampField
from apps.gpu.models import MinerCommand
from apps.gpu.serializers.fields import AnyField
from apps.gpu.serializers.gpus import GpuSerializer
from apps.gpu.states import CommandState


class ScanQuerySerializer(LenientSerializer):
    wait = serializers.FloatField(
        required=False, min_value=0, max_value=60, default=10, help_text="Seconds to wait for the miner."
    )


class ScanSerializer(serializers.Serializer[Any]):
    """What a miner found when it scanned its cards, or where the answer will be."""

    miner_id = serializers.CharField()
    order_id = serializers.UUIDField()
    state = serializers.ChoiceField(CommandState.choices)
    gpus = GpuSerializer(many=True, help_text="The registry's cards of this miner, as they are now.")
    registered = serializers.IntegerField(help_text="How many cards of the miner are registered.")
    edge_optimized = serializers.IntegerField(help_text="How many of them draw little enough for the edge.")
    discovery_method = serializers.CharField(allow_null=True, help_text="nvml, cpu …; null until it has answered")
    requested_at = TimestampField()
    answered_at = TimestampField(allow_null=True)
    ask_again = serializers.CharField(required=False, help_text="Where the answer will be; only while it is open.")


@extend_schema_serializer(component_name="MinerOrder")
class MinerCommandSerializer(ResourceSerializer):
    """A command to a miner, and its answer."""

    order_id = serializers.UUIDField(source="pk", read_only=True)
    miner_id = serializers.CharField(source="miner.name", read_only=True)

    class Meta:
        model = MinerCommand
        fields = [
            "order_id", "miner_id", "gpu_id", "kind", "state", "body", "answer", "actor", "created_at", "due_at",
            "ended_at",
        ]  # fmt: skip


@extend_schema_serializer(component_name="OrderAnswer")
class CommandAnswerSerializer(LenientSerializer):
    """A miner's answer: what it found or did, or why it could not."""

    error = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=1000)
    gpus = AnyField(required=False, allow_null=True)
    cpu = AnyField(required=False, allow_null=True)
    cuda = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=40)
    discovery_method = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=20)
    result = ObjectField(required=False, allow_null=True)


@extend_schema_serializer(component_name="OrderTaken")
class CommandAnsweredSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(["ok"])
    order_id = serializers.UUIDField()
    state = serializers.ChoiceField(CommandState.choices)


class AppliedSerializer(StrictSerializer):
    """What is set now, or why it was refused."""

    settings = ObjectField(required=False)
    refused = serializers.CharField(required=False, max_length=300)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("settings" in attrs) == ("refused" in attrs):
            raise serializers.ValidationError("Send the settings as they are now, or why they were refused.")
        return attrs


@extend_schema_serializer(component_name="OrderState")
class CommandStateSerializer(serializers.Serializer[Any]):
    order_id = serializers.UUIDField()
    state = serializers.CharField()
