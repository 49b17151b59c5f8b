"""Measurements of GPUs, read-only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.gpu.models import (
    EdgeGPUMetrics,
)


@admin.register(EdgeGPUMetrics)
class EdgeGPUMetricsAdmin(ReadOnlyAdmin):
    list_display = (
        "gpu_id", "at", "gpu_utilization_percent", "memory_used_mb", "power_draw_w", "temperature_celsius",
        "thermal_throttling_active", "power_limit_active",
    )  # fmt: skip
    search_fields = ("=gpu__id",)
