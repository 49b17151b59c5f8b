"""How a card fares, in the many words of miners, brought into the columns of EdgeGPUMetrics. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_CARDS = 64
# Columns of EdgeGPUMetrics, and the words by which miners say each; percent, MiB, watts, °C, MHz, milliseconds.
FIGURES: dict[str, tuple[str, ...]] = {
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
LARGEST_FIGURE = 1e12
TOTALS = ("memory_total_mb", "memory_total")


def figures_of(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a heartbeat says of each card, in the words of EdgeGPUMetrics; `uuid`, else `place`, says which card.

    Old miners speak of one card only, beside the machine's other figures: that is the first.
    """
    cards = metrics.get("gpus")
    told = cards if isinstance(cards, list) and cards else [metrics]
    found = [_figures(card, place) for place, card in enumerate(told) if isinstance(card, Mapping)]
    return [one for one in found if any(name in FIGURES for name in one)]


def _figures(card: Mapping[str, Any], place: int) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, words in FIGURES.items():
        value = next((card[word] for word in words if card.get(word) is not None), None)
        if (name in FLAGS and isinstance(value, bool)) or (name not in FLAGS and _is_figure(value)):
            said[name] = value
    total = next((card[word] for word in TOTALS if _is_figure(card.get(word)) and card[word]), None)
    if total and "memory_used_mb" in said:
        said.setdefault("memory_utilization_percent", round(100 * said["memory_used_mb"] / total, 1))
    if said.get("network_latency_ms", 0) < 0:
        del said["network_latency_ms"]  # the old daemon's way to say that its probe failed
    index = card.get("index")
    place = index if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < MOST_CARDS else place
    return {"uuid": str(card.get("uuid") or "")[:80], "place": place, **said}


def _is_figure(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST_FIGURE
