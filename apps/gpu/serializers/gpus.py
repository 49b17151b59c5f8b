"""Cards, their models and figures, and what miners are asked about them. The seed's routes ignore unknown fields."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import AmountField, LenientSerializer, ObjectField, ResourceSerializer, StrictSerializer
from apps.gpu.models import ConsumerGPUProfile, EdgeGPUMetrics, GPURegistry, GPUTransition, MinerOrder
from apps.gpu.serializers.miner_protocol import AnyField, MinerIdField
from apps.gpu.services.gpus import SWITCHES
from apps.gpu.states import BOOKED, RENTABLE, GpuState, OrderState


class GpuProfileSerializer(ResourceSerializer):
    """A model of card; figures are its vendor's, peaks are dense. Null: the vendor does not say."""

    gpu_model = serializers.CharField(source="model", read_only=True)
    memory_bandwidth_gbps = serializers.FloatField(source="bandwidth_gbps", read_only=True)
    thermal_design_power_w = serializers.FloatField(source="tdp_w", read_only=True, allow_null=True)

    class Meta:
        model = ConsumerGPUProfile
        fields = [
            "id", "gpu_model", "model", "vendor", "architecture", "year", "memory_gb", "memory_type", "bandwidth_gbps",
            "memory_bandwidth_gbps", "fp32_tflops", "fp16_tflops", "tdp_w", "thermal_design_power_w",
            "compute_capability", "consumer_grade", "edge_optimized", "source", "updated_at",
        ]  # fmt: skip


class ProfileFilterSerializer(LenientSerializer):
    architecture = serializers.CharField(
        required=False, max_length=40, help_text="turing, ampere, ada_lovelace … as the profiles spell it; any case."
    )
    vendor = serializers.CharField(required=False, max_length=40)
    edge_optimized = serializers.BooleanField(required=False, help_text="Draws 170 W at most.")
    consumer_grade = serializers.BooleanField(required=False)
    min_memory_gb = serializers.FloatField(required=False, min_value=0, max_value=100_000)
    min_vram = serializers.FloatField(required=False, min_value=0, max_value=100_000, help_text="The same, in GB.")
    q = serializers.CharField(required=False, max_length=100, help_text="All these words are in vendor, model …")


class CardSerializer(ResourceSerializer):
    """One device of one miner. `state` is ours; `status` says it in the words of the predecessor."""

    gpu_id = serializers.SerializerMethodField(help_text="The id its owner gave it, else ours.")
    miner_id = serializers.CharField(source="miner.name", read_only=True)
    miner = serializers.UUIDField(source="miner_id", read_only=True)
    model = serializers.SerializerMethodField(help_text="Of the catalogue; else the reported name.")
    known_model = serializers.SerializerMethodField(help_text="Whether the catalogue has this model.")
    vendor = serializers.CharField(source="profile.vendor", read_only=True, default="")
    device = serializers.CharField(source="kind", read_only=True, help_text="gpu, or cpu where there is none")
    memory_gb = serializers.SerializerMethodField()
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

    def get_gpu_id(self, card: GPURegistry) -> str:
        return card.external_id or str(card.pk)

    def get_model(self, card: GPURegistry) -> str:
        return card.profile.model if card.profile else card.name

    def get_known_model(self, card: GPURegistry) -> bool:
        return card.profile is not None

    def get_memory_gb(self, card: GPURegistry) -> float:
        return round(card.memory_mb / 1024, 2)

    def get_price_per_hour(self, card: GPURegistry) -> str | None:
        price = card.miner.price if card.price_per_hour is None else card.price_per_hour
        return None if price is None else AmountField().to_representation(price)

    def get_status(self, card: GPURegistry) -> str:
        return "available" if card.state in RENTABLE else "booked" if card.state in BOOKED else card.state

    def get_capabilities(self, card: GPURegistry) -> list[str]:
        return list(card.miner.offer.get("tasks", []))


class CardDetailSerializer(CardSerializer):
    """A card with what its renters said of it."""

    average_rating = serializers.FloatField(read_only=True, allow_null=True, help_text="1 to 5; null: no review yet.")
    total_reviews = serializers.IntegerField(read_only=True)

    class Meta(CardSerializer.Meta):
        fields = [*CardSerializer.Meta.fields, "average_rating", "total_reviews"]


class CardChangedSerializer(CardSerializer):
    message = serializers.CharField(read_only=True)

    class Meta(CardSerializer.Meta):
        fields = [*CardSerializer.Meta.fields, "message"]


class DiscoveredSerializer(serializers.Serializer[Any]):
    """The caller's cards as their miners reported them; the first one's figures also at the top, if there is one."""

    model = serializers.CharField(required=False)
    memory_gb = serializers.FloatField(required=False)
    cuda_version = serializers.CharField(required=False, help_text="The driver's version, as the predecessor had it.")
    compute_capability = serializers.CharField(required=False)
    gpus = CardSerializer(many=True)


class CardFilterSerializer(StrictSerializer):
    state = serializers.ChoiceField(GpuState.choices, required=False)
    device = serializers.ChoiceField(GPURegistry.Kind.choices, required=False)
    miner_id = serializers.CharField(required=False, max_length=128, help_text="A miner's name or id.")
    model = serializers.CharField(required=False, max_length=120, help_text="Part of the name, any case.")
    min_memory_gb = serializers.FloatField(required=False, min_value=0, max_value=100_000)
    verified = serializers.BooleanField(required=False)


class CardRegisterSerializer(LenientSerializer):
    """A card registered by hand: its figures in `specs`, or beside the ids."""

    gpu_id = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=64)
    miner_id = MinerIdField()
    specs = AnyField(required=False, allow_null=True)
    price_per_hour = AmountField(required=False, allow_null=True)
    region = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=100)


class CardChangeSerializer(LenientSerializer):
    price_per_hour = AmountField(required=False)
    status = serializers.CharField(required=False, max_length=20, help_text=" | ".join(sorted(SWITCHES)))


class GpuReasonSerializer(StrictSerializer):
    reason = serializers.CharField(max_length=300)


class MetricsSerializer(ResourceSerializer):
    """How a card fared at one moment; percent, MiB, watts, °C, MHz, milliseconds."""

    gpu_id = serializers.UUIDField(read_only=True)
    timestamp = serializers.DateTimeField(source="at", read_only=True)

    class Meta:
        model = EdgeGPUMetrics
        fields = [
            "id", "gpu_id", "timestamp", "network_latency_ms", "compute_latency_ms", "total_latency_ms",
            "gpu_utilization_percent", "memory_utilization_percent", "memory_used_mb", "power_draw_w",
            "temperature_celsius", "fan_percent", "graphics_clock_mhz", "memory_clock_mhz",
            "thermal_throttling_active", "power_limit_active", "region",
        ]  # fmt: skip


class MetricsAskedSerializer(LenientSerializer):
    limit = serializers.IntegerField(required=False, min_value=1, max_value=1000, default=100)


class MoveSerializer(ResourceSerializer):
    class Meta:
        model = GPUTransition
        fields = ["seq", "from_state", "to_state", "actor", "reason", "at"]


class ScanAskedSerializer(LenientSerializer):
    wait = serializers.FloatField(
        required=False, min_value=0, max_value=60, default=10, help_text="Seconds to wait for the miner."
    )


class ScanSerializer(serializers.Serializer[Any]):
    """What a miner found when it looked at its cards again, or how to ask later."""

    miner_id = serializers.CharField()
    order_id = serializers.UUIDField()
    state = serializers.ChoiceField(OrderState.choices)
    gpus = CardSerializer(many=True, help_text="The registry's cards of this miner, as they are now.")
    registered = serializers.IntegerField(help_text="How many cards of the miner are registered.")
    edge_optimized = serializers.IntegerField(help_text="How many of them draw little enough for the edge.")
    discovery_method = serializers.CharField(allow_null=True, help_text="nvml, cpu …; null until it has answered")
    requested_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)
    ask_again = serializers.CharField(required=False, help_text="Where the answer will be; only while it is open.")


class MinerOrderSerializer(ResourceSerializer):
    """What a miner was asked to do, and what came of it."""

    order_id = serializers.UUIDField(source="pk", read_only=True)
    miner_id = serializers.CharField(source="miner.name", read_only=True)

    class Meta:
        model = MinerOrder
        fields = [
            "order_id", "miner_id", "gpu_id", "kind", "state", "body", "answer", "actor", "created_at", "due_at",
            "ended_at",
        ]  # fmt: skip


class OrderAnswerSerializer(LenientSerializer):
    """A miner's answer: what it found or did, or why it could not."""

    error = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=1000)
    gpus = AnyField(required=False, allow_null=True)
    cpu = AnyField(required=False, allow_null=True)
    cuda = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=40)
    discovery_method = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=20)
    result = ObjectField(required=False, allow_null=True)


class OrderTakenSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(["ok"])
    order_id = serializers.UUIDField()
    state = serializers.ChoiceField(OrderState.choices)


class QueueSerializer(serializers.Serializer[Any]):
    waiting = serializers.IntegerField()
    delayed = serializers.IntegerField(help_text="Backing off before they are tried again.")
    running = serializers.IntegerField()
    at_least = serializers.BooleanField(help_text="There are more than are counted here.")


class GpuStatusSerializer(serializers.Serializer[Any]):
    """How the gpu domain fares: counted, not declared."""

    status = serializers.ChoiceField(["operational", "degraded"])
    service = serializers.CharField()
    message = serializers.CharField()
    miners = serializers.DictField(child=serializers.IntegerField(), help_text="By state.")
    gpus = serializers.DictField(child=serializers.IntegerField(), help_text="By state.")
    models = serializers.DictField(child=serializers.IntegerField(), help_text="Cards that are there, by model.")
    queue = QueueSerializer()
    bookings = serializers.IntegerField(help_text="Whose cards are set aside or lent now.")
    swept_seconds_ago = serializers.FloatField(allow_null=True, help_text="Since leases were last looked after.")
    at = serializers.DateTimeField()
