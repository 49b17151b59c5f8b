"""Measurements of GPUs over time, as heartbeats report them."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from apps.gpu.models.gpus import GPURegistry


class EdgeGPUMetrics(models.Model):
    """Metrics of a GPU at one moment, from its miner's heartbeat; at most one row per minute and GPU."""

    id = models.BigAutoField(primary_key=True)
    gpu = models.ForeignKey(GPURegistry, on_delete=models.CASCADE, related_name="metrics")
    network_latency_ms = models.FloatField(null=True)
    compute_latency_ms = models.FloatField(null=True)
    total_latency_ms = models.FloatField(null=True)
    gpu_utilization_percent = models.FloatField(null=True)
    memory_utilization_percent = models.FloatField(null=True)
    memory_used_mb = models.FloatField(null=True)
    power_draw_w = models.FloatField(null=True)
    temperature_celsius = models.FloatField(null=True)
    fan_percent = models.FloatField(null=True)
    graphics_clock_mhz = models.FloatField(null=True)
    memory_clock_mhz = models.FloatField(null=True)
    thermal_throttling_active = models.BooleanField(null=True)
    power_limit_active = models.BooleanField(null=True)
    region = models.CharField(max_length=100, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "edge GPU metrics"
        indexes = [
            models.Index(name="gpu_metrics_gpu_at", fields=["gpu", "-at"]),
            models.Index(name="gpu_metrics_at", fields=["at"]),
        ]

    def __str__(self) -> str:
        return f"{self.gpu_id} at {self.at}"
