"""Models of graphics cards: the catalogue in JSON, and how it is filtered."""

from __future__ import annotations

from rest_framework import serializers

from aitbc.core.serializers import LenientSerializer, ResourceSerializer
from apps.gpu.models import ConsumerGPUProfile


class GpuProfileSerializer(ResourceSerializer):
    """A model of card; numbers are its vendor's, peaks are dense. Null: not published."""

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
