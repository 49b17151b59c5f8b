"""Recommendations for a GPU of the registry: its row as input of logic/optimizer.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.gpu.errors import GpuNotFound, GpuUnfit
from apps.gpu.logic import power, roofline
from apps.gpu.logic.optimizer import OptimizeRequest, Subject
from apps.gpu.logic.optimizer_report import advise
from apps.gpu.models import ConsumerGPUProfile, GPURegistry
from apps.gpu.services import calibration
from apps.gpu.services.calibration import TYPICAL_BANDWIDTH, TYPICAL_COMPUTE

LANE_GBPS = {1: 0.25, 2: 0.5, 3: 0.985, 4: 1.969, 5: 3.938, 6: 7.563}
REACHED = 0.8  # of a PCIe link's rate
MEBI, GIGA, TERA = 2**20, 1e9, 1e12


def find(named: str, *, owner_id: UUID | None = None) -> GPURegistry:
    """Return a GPU by its id, or by the id its owner gave it. Raises GpuNotFound."""
    gpus = GPURegistry.objects.present().select_related("profile", "miner")
    found = gpus.filter(pk=pk).first() if (pk := _as_uuid(named)) is not None else None
    if found is None and owner_id is not None:
        found = gpus.filter(owner_id=owner_id, external_id=named[:64]).exclude(external_id="").first()
    if found is None:
        raise GpuNotFound()
    return found


def recommend(gpu: GPURegistry, request: OptimizeRequest) -> dict[str, Any]:
    """Return the whole recommendation. Raises GpuUnfit when neither catalogue nor benchmark knows the GPU."""
    return {"gpu_id": str(gpu.pk), **advise(subject_of(gpu), request)}


def subject_of(gpu: GPURegistry) -> Subject:
    """Return the GPU as input of the optimizer (bytes, bytes/s, FLOP/s, watts). Raises GpuUnfit as `peaks` does."""
    bandwidth, compute = peaks(gpu.profile, gpu.measured)
    memory = float(gpu.memory_mb) * MEBI
    vendor = gpu.profile.vendor if gpu.profile else ""
    display = bool(gpu.details.get("display_attached"))
    device = roofline.Device(
        memory, roofline.usable_bytes(memory, vendor=vendor, display=display), bandwidth, compute, link=_link(gpu)
    )
    limits = _power(gpu)
    sweep = tuple((p["watts"] / limits.tdp, p["bandwidth"], p["compute"])
                  for p in gpu.learned.get("sweep", [])) if limits else ()  # fmt: skip
    return Subject(
        name=gpu.profile.model if gpu.profile else gpu.name, vendor=vendor, kind=gpu.kind, device=device,
        power=limits, efficiency=calibration.efficiency(gpu.learned), sweep=sweep,
        index=int(gpu.details.get("index", gpu.position)), limit_w=_number(_reported(gpu, "power").get("limit_w")),
        rent=(gpu.price_per_hour or gpu.miner.price or 0) / 1_000_000, confidence=_confidence(gpu, sweep),
        warnings=_warnings(gpu),
    )  # fmt: skip


def peaks(profile: ConsumerGPUProfile | None, measured: Mapping[str, Any]) -> tuple[float, float]:
    """Return bytes/s and FLOP/s at best: the catalogue's, or what the benchmark implies where it knows none.

    Raises GpuUnfit where neither does.
    """
    if profile is not None:
        peak = profile.fp16_tflops or profile.fp32_tflops or measured.get("fp32_tflops")
        if peak is None:
            raise GpuUnfit("Its vendor publishes no rate; request a benchmark first.")
        return profile.bandwidth_gbps * GIGA, peak * TERA
    if "bandwidth_gbps" not in measured:
        raise GpuUnfit("No catalogue knows this model, and it was not measured: request a benchmark first.")
    rate = measured.get("fp16_tflops", measured["fp32_tflops"])
    return measured["bandwidth_gbps"] / TYPICAL_BANDWIDTH * GIGA, rate / TYPICAL_COMPUTE * TERA


def _link(gpu: GPURegistry) -> float:
    """Bytes per second between host and card: measured, else by its PCIe link, else that of PCIe 4.0 ×16."""
    if (measured := _number(gpu.measured.get("h2d_gbps"))) is not None:
        return measured * GIGA
    pci = _reported(gpu, "pci")
    generation, lanes = (_number(pci.get(f"max_{name}")) or _number(pci.get(name)) for name in ("generation", "lanes"))
    lane = LANE_GBPS.get(int(generation or 0))
    return REACHED * lane * lanes * GIGA if lane and lanes else roofline.Device.link


def _power(gpu: GPURegistry) -> power.PowerLimits | None:
    reported = _reported(gpu, "power")
    tdp = _number(reported.get("default_w")) or (gpu.profile.tdp_w if gpu.profile else None)
    if tdp is None or gpu.kind == GPURegistry.Kind.CPU:
        return None
    draw, warm = (_number(gpu.latest.get(name)) for name in ("power_draw_w", "temperature_celsius"))
    vendor = (gpu.profile.vendor if gpu.profile else "").lower()
    return power.PowerLimits(
        tdp, _number(reported.get("min_w")), _number(reported.get("max_w")), vendor,
        resistance=power.resistance(draw, warm) if draw and warm else None,
    )  # fmt: skip


def _confidence(gpu: GPURegistry, sweep: tuple[Any, ...]) -> str:
    if len(sweep) >= power.OWN_POINTS:
        return "sweep"
    return "benchmark" if gpu.verified and gpu.measured else "catalogue"


def _warnings(gpu: GPURegistry) -> tuple[str, ...]:
    reported = {
        "device: cpu — this is the machine's processor": gpu.kind == GPURegistry.Kind.CPU,
        "not benchmarked: the numbers are the catalogue's": not gpu.verified,
        "no model of the catalogue fits the reported name": gpu.profile is None,
    }
    return tuple(text for text, true in reported.items() if true)


def _reported(gpu: GPURegistry, name: str) -> dict[str, Any]:
    found = gpu.details.get(name)
    return found if isinstance(found, dict) else {}


def _number(value: Any) -> float | None:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
    return float(value) if good else None


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
