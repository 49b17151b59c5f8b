"""Read GPU metrics, as miners name them, into the columns of EdgeGPUMetrics. Pure: no Django."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_GPUS = 64
# Columns of EdgeGPUMetrics, and the names that miners use for each; percent, MiB, watts, °C, MHz, milliseconds.
METRICS: dict[str, tuple[str, ...]] = {
    "network_latency_ms": ("network_latency_ms",),
    "compute_latency_ms": ("compute_latency_ms",),
    "total_latency_ms": ("total_latency_ms",),
    "gpu_utilization_percent": ("gpu_utilization_percent", "utilization", "gpu_utilization"),
    "memory_utilization_percent": ("memory_utilization_percent", "memory_utilization"),
    "memory_used_mb": ("memory_used_mb", "memory_used"),
    "power_draw_w": ("power_draw_w", "power_w", "power_draw"),
    "temperature_celsius": ("temperature_celsius", "temperature_c", "temperature"),
    "fan_percent": ("fan_percent",),
    "graphics_clock_mhz": ("graphics_clock_mhz",),
    "memory_clock_mhz": ("memory_clock_mhz",),
    "thermal_throttling_active": ("thermal_throttling_active",),
    "power_limit_active": ("power_limit_active",),
}
FLAGS = ("thermal_throttling_active", "power_limit_active")
LARGEST = 1e12
TOTALS = ("memory_total_mb", "memory_total")


def gpu_metrics(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one dict of EdgeGPUMetrics columns per GPU in a heartbeat; `uuid`, else `place`, identifies the GPU.

    Legacy miners report one GPU beside the machine's other metrics: that is the first.
    """
    entries = metrics.get("gpus")
    listed = entries if isinstance(entries, list) and entries else [metrics]
    found = [_metrics(entry, place) for place, entry in enumerate(listed) if isinstance(entry, Mapping)]
    return [one for one in found if any(name in METRICS for name in one)]


def _metrics(entry: Mapping[str, Any], place: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, words in METRICS.items():
        value = next((entry[word] for word in words if entry.get(word) is not None), None)
        if (name in FLAGS and isinstance(value, bool)) or (name not in FLAGS and _is_number(value)):
            found[name] = value
    total = next((entry[word] for word in TOTALS if _is_number(entry.get(word)) and entry[word]), None)
    if total and "memory_used_mb" in found:
        found.setdefault("memory_utilization_percent", round(100 * found["memory_used_mb"] / total, 1))
    if found.get("network_latency_ms", 0) < 0:
        del found["network_latency_ms"]  # legacy daemons report a failed probe as a negative latency
    index = entry.get("index")
    place = index if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < MOST_GPUS else place
    return {"uuid": str(entry.get("uuid") or "")[:80], "place": place, **found}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST
