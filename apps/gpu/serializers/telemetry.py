"""Measurements of a GPU over time."""

from __future__ import annotations

from rest_framework import serializers

from aitbc.core.serializers import LenientSerializer, ResourceSerializer, TimestampField
from apps.gpu.models import EdgeGPUMetrics


class MetricsSerializer(ResourceSerializer):
    """Metrics of a card at one moment; percent, MiB, watts, °C, MHz, milliseconds."""

    gpu_id = serializers.UUIDField(read_only=True)
    timestamp = TimestampField(source="at", read_only=True)

    class Meta:
        model = EdgeGPUMetrics
        fields = [
            "id", "gpu_id", "timestamp", "network_latency_ms", "compute_latency_ms", "total_latency_ms",
            "gpu_utilization_percent", "memory_utilization_percent", "memory_used_mb", "power_draw_w",
            "temperature_celsius", "fan_percent", "graphics_clock_mhz", "memory_clock_mhz",
            "thermal_throttling_active", "power_limit_active", "region",
        ]  # fmt: skip


class MetricsQuerySerializer(LenientSerializer):
    limit = serializers.IntegerField(required=False, min_value=1, max_value=1000, default=100)
