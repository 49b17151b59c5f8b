"""GPUs of the registry: in JSON, filtered, registered by hand, changed. Legacy routes ignore unknown fields."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from aitbc.core.serializers import AmountField, LenientSerializer, ResourceSerializer, StrictSerializer
from apps.gpu.models import GPURegistry, GPUTransition
from apps.gpu.serializers.fields import AnyField, MinerIdField
from apps.gpu.services.gpus import SWITCHES
from apps.gpu.states import BOOKED, RENTABLE, GpuState


@extend_schema_serializer(component_name="Card")
class GpuSerializer(ResourceSerializer):
    """One GPU, or processor, of a miner. `state` is the registry's; `status` is the legacy name for it."""

    gpu_id = serializers.SerializerMethodField(help_text="The id its owner gave it, else ours.")
    miner_id = serializers.CharField(source="miner.name", read_only=True)
    miner = serializers.UUIDField(source="miner_id", read_only=True)
    model = serializers.SerializerMethodField(help_text="Of the catalogue; else the reported name.")
    known_model = serializers.SerializerMethodField(help_text="Whether the catalogue has this model.")
    vendor = serializers.CharField(source="profile.vendor", read_only=True, default="")
    device = serializers.CharField(source="kind", read_only=True, help_text="gpu, or cpu where there is none")
    memory_mb = serializers.SerializerMethodField(help_text="null: not known.")
    memory_gb = serializers.SerializerMethodField(help_text="null: not known.")
    cuda_version = serializers.CharField(source="cuda", read_only=True)
    region = serializers.CharField(source="miner.region", read_only=True)
    price_per_hour = serializers.SerializerMethodField(help_text="AIT; its own, else its miner's; null: none named.")
    status = serializers.SerializerMethodField()
    capabilities = serializers.SerializerMethodField(help_text="What kinds of work its miner does.")
    verified = serializers.BooleanField(read_only=True)

    class Meta:
        model = GPURegistry
        fields = [
            "id", "gpu_id", "miner_id", "miner", "owner_id", "device", "position", "uuid", "name", "model",
            "known_model", "vendor", "architecture", "memory_mb", "memory_gb", "driver", "cuda", "cuda_version",
            "details", "region", "price_per_hour", "state", "status", "reason", "paused", "booking_id", "verified",
            "verified_at", "retest_at", "score", "measured", "latest", "capabilities", "seen_at", "created_at",
        ]  # fmt: skip

    def get_gpu_id(self, gpu: GPURegistry) -> str:
        return gpu.external_id or str(gpu.pk)

    def get_model(self, gpu: GPURegistry) -> str:
        return gpu.profile.model if gpu.profile else gpu.name

    def get_known_model(self, gpu: GPURegistry) -> bool:
        return gpu.profile is not None

    def get_memory_mb(self, gpu: GPURegistry) -> int | None:
        return gpu.memory_mb or None

    def get_memory_gb(self, gpu: GPURegistry) -> float | None:
        return round(gpu.memory_mb / 1024, 2) if gpu.memory_mb else None

    def get_price_per_hour(self, gpu: GPURegistry) -> str | None:
        price = gpu.miner.price if gpu.price_per_hour is None else gpu.price_per_hour
        return None if price is None else AmountField().to_representation(price)

    def get_status(self, gpu: GPURegistry) -> str:
        return "available" if gpu.state in RENTABLE else "booked" if gpu.state in BOOKED else gpu.state

    def get_capabilities(self, gpu: GPURegistry) -> list[str]:
        return list(gpu.miner.offer.get("tasks", []))


@extend_schema_serializer(component_name="CardDetail")
class GpuDetailSerializer(GpuSerializer):
    """A card with the ratings of its renters."""

    average_rating = serializers.FloatField(read_only=True, allow_null=True, help_text="1 to 5; null: no review yet.")
    total_reviews = serializers.IntegerField(read_only=True)

    class Meta(GpuSerializer.Meta):
        fields = [*GpuSerializer.Meta.fields, "average_rating", "total_reviews"]


@extend_schema_serializer(component_name="CardChanged")
class GpuChangedSerializer(GpuSerializer):
    message = serializers.CharField(read_only=True)

    class Meta(GpuSerializer.Meta):
        fields = [*GpuSerializer.Meta.fields, "message"]


class DiscoveredSerializer(serializers.Serializer[Any]):
    """The caller's cards as their miners reported them; the first one's values also at the top, if there is one."""

    model = serializers.CharField(required=False)
    memory_gb = serializers.FloatField(required=False)
    cuda_version = serializers.CharField(required=False, help_text="The driver's version, as in the legacy API.")
    compute_capability = serializers.CharField(required=False)
    gpus = GpuSerializer(many=True)


@extend_schema_serializer(component_name="CardFilter")
class GpuFilterSerializer(StrictSerializer):
    state = serializers.ChoiceField(GpuState.choices, required=False)
    device = serializers.ChoiceField(GPURegistry.Kind.choices, required=False)
    miner_id = serializers.CharField(required=False, max_length=128, help_text="A miner's name or id.")
    model = serializers.CharField(required=False, max_length=120, help_text="Part of the name, any case.")
    min_memory_gb = serializers.FloatField(required=False, min_value=0, max_value=100_000)
    verified = serializers.BooleanField(required=False)


@extend_schema_serializer(component_name="CardRegister")
class GpuRegisterSerializer(LenientSerializer):
    """A card registered by hand: its values in `specs`, or beside the ids."""

    gpu_id = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=64)
    miner_id = MinerIdField()
    specs = AnyField(required=False, allow_null=True)
    price_per_hour = AmountField(required=False, allow_null=True)
    region = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=100)


@extend_schema_serializer(component_name="CardChange")
class GpuChangeSerializer(LenientSerializer):
    price_per_hour = AmountField(required=False)
    status = serializers.CharField(required=False, max_length=20, help_text=" | ".join(sorted(SWITCHES)))


class GpuReasonSerializer(StrictSerializer):
    reason = serializers.CharField(max_length=300)


@extend_schema_serializer(component_name="Move")
class GpuTransitionSerializer(ResourceSerializer):
    class Meta:
        model = GPUTransition
        fields = ["seq", "from_state", "to_state", "actor", "reason", "at"]
