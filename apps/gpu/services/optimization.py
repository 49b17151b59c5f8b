"""Advice for a card of the registry: its row as the pure modules see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.gpu.errors import GpuNotFound, GpuUnfit
from apps.gpu.logic import power, roofline
from apps.gpu.logic.optimizer import Subject, Wish
from apps.gpu.logic.optimizer_report import advise
from apps.gpu.models import ConsumerGPUProfile, GPURegistry
from apps.gpu.services import calibration
from apps.gpu.services.calibration import TYPICAL_BANDWIDTH, TYPICAL_COMPUTE

LANE_GBPS = {1: 0.25, 2: 0.5, 3: 0.985, 4: 1.969, 5: 3.938, 6: 7.563}
REACHED = 0.8  # of a PCIe link's rate
MEBI, GIGA, TERA = 2**20, 1e9, 1e12


def find(named: str, *, owner_id: UUID | None = None) -> GPURegistry:
    """A card by its id, or by the id its owner gave it. GpuNotFound when there is none."""
    cards = GPURegistry.objects.present().select_related("profile", "miner")
    found = cards.filter(pk=pk).first() if (pk := _as_uuid(named)) is not None else None
    if found is None and owner_id is not None:
        found = cards.filter(owner_id=owner_id, external_id=named[:64]).exclude(external_id="").first()
    if found is None:
        raise GpuNotFound()
    return found


def recommend(card: GPURegistry, wish: Wish) -> dict[str, Any]:
    """The whole advice. GpuUnfit when nothing is known that it could be based on."""
    return {"gpu_id": str(card.pk), **advise(subject_of(card), wish)}


def subject_of(card: GPURegistry) -> Subject:
    bandwidth, compute = peaks(card.profile, card.measured)
    memory = float(card.memory_mb) * MEBI
    vendor = card.profile.vendor if card.profile else ""
    display = bool(card.details.get("display_attached"))
    device = roofline.Device(
        memory, roofline.usable_bytes(memory, vendor=vendor, display=display), bandwidth, compute, link=_link(card)
    )
    limits = _power(card)
    sweep = tuple((p["watts"] / limits.tdp, p["bandwidth"], p["compute"])
                  for p in card.learned.get("sweep", [])) if limits else ()  # fmt: skip
    return Subject(
        name=card.profile.model if card.profile else card.name, vendor=vendor, kind=card.kind, device=device,
        power=limits, efficiency=calibration.efficiency(card.learned), sweep=sweep,
        index=int(card.details.get("index", card.position)), limit_w=_number(_told(card, "power").get("limit_w")),
        rent=(card.price_per_hour or card.miner.price or 0) / 1_000_000, confidence=_confidence(card, sweep),
        warnings=_warnings(card),
    )  # fmt: skip


def peaks(profile: ConsumerGPUProfile | None, measured: Mapping[str, Any]) -> tuple[float, float]:
    """Bytes and operations per second at best: the catalogue's, or what the benchmark implies where it knows none.

    Raises GpuUnfit where neither does.
    """
    if profile is not None:
        peak = profile.fp16_tflops or profile.fp32_tflops or measured.get("fp32_tflops")
        if peak is None:
            raise GpuUnfit("Its vendor tells no rate; request a benchmark first.")
        return profile.bandwidth_gbps * GIGA, peak * TERA
    if "bandwidth_gbps" not in measured:
        raise GpuUnfit("No catalogue knows this model, and it was not measured: request a benchmark first.")
    rate = measured.get("fp16_tflops", measured["fp32_tflops"])
    return measured["bandwidth_gbps"] / TYPICAL_BANDWIDTH * GIGA, rate / TYPICAL_COMPUTE * TERA


def _link(card: GPURegistry) -> float:
    """Bytes per second between host and card: measured, else by its PCIe link, else that of PCIe 4.0 ×16."""
    if (measured := _number(card.measured.get("h2d_gbps"))) is not None:
        return measured * GIGA
    pci = _told(card, "pci")
    generation, lanes = (_number(pci.get(f"max_{name}")) or _number(pci.get(name)) for name in ("generation", "lanes"))
    lane = LANE_GBPS.get(int(generation or 0))
    return REACHED * lane * lanes * GIGA if lane and lanes else roofline.Device.link


def _power(card: GPURegistry) -> power.Card | None:
    told = _told(card, "power")
    tdp = _number(told.get("default_w")) or (card.profile.tdp_w if card.profile else None)
    if tdp is None or card.kind == GPURegistry.Kind.CPU:
        return None
    draw, warm = (_number(card.latest.get(name)) for name in ("power_draw_w", "temperature_celsius"))
    vendor = (card.profile.vendor if card.profile else "").lower()
    return power.Card(
        tdp, _number(told.get("min_w")), _number(told.get("max_w")), vendor,
        resistance=power.resistance(draw, warm) if draw and warm else None,
    )  # fmt: skip


def _confidence(card: GPURegistry, sweep: tuple[Any, ...]) -> str:
    if len(sweep) >= power.OWN_POINTS:
        return "sweep"
    return "benchmark" if card.verified and card.measured else "catalogue"


def _warnings(card: GPURegistry) -> tuple[str, ...]:
    told = {
        "device: cpu — this is the machine's processor": card.kind == GPURegistry.Kind.CPU,
        "not benchmarked: the figures are the catalogue's": not card.verified,
        "no model of the catalogue fits the reported name": card.profile is None,
    }
    return tuple(text for text, true in told.items() if true)


def _told(card: GPURegistry, name: str) -> dict[str, Any]:
    found = card.details.get(name)
    return found if isinstance(found, dict) else {}


def _number(value: Any) -> float | None:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
    return float(value) if good else None


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
