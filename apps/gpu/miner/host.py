"""This host: the capabilities a miner registers with, and the metrics of its heartbeats."""

import logging
import os
import platform
import re
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.gpu.logic.challenge import SUITE
from apps.gpu.logic.encoding import decoded, valid_text
from apps.gpu.miner import engines, files, memory
from apps.gpu.miner.offers import Offered
from apps.gpu.miner.settings import Settings

log = logging.getLogger("aitbc.miner")

CPUINFO = Path("/proc/cpuinfo")
PROCESSOR_UUID = re.compile(r"CPU-[0-9a-f-]{36}")


@dataclass(frozen=True)
class Hardware:
    """The devices that the driver describes, its CUDA version, and whether the processor may be offered as a device.

    It is not while the driver does not say which GPUs there are: it would stand in place of one.
    """

    gpus: list[dict[str, Any]] = field(default_factory=list)
    cuda: str | None = None
    processor: bool = False


def capabilities(settings: Settings, offered: dict[str, Offered], hardware: Hardware) -> dict[str, Any]:
    """Return the capabilities that a registration sends: hardware, engines' task types and models, price, region."""
    detected = hardware.gpus
    rentable = settings.cpu_device and hardware.processor
    values = {
        "gpus": detected,
        "cuda": hardware.cuda,
        "cpu": processor(settings) if rentable else _cpu(),
        "memory_mb": memory.total_mb(),
        "models": _sorted_names(model for engine in offered.values() for model in engine.models),
        "tasks": _sorted_names(word for engine in offered.values() for word in engine.task_types),
        "price": settings.price or None,
        "region": settings.region or None,
        "platform": "CUDA" if detected else "CPU",
        "max_concurrent_jobs": settings.slots,
        "benchmark_suite": SUITE,
    }
    return {name: value for name, value in values.items() if value is not None}


def processor(settings: Settings) -> dict[str, Any]:
    """Describe the processor as a device that can be rented: its memory (MiB) is what this miner's jobs may use.

    Its UUID is made once and stored in the state folder: two miners on one host offer a share each. Where that cannot
    be written, the processor is no device.
    """
    total = memory.total_mb()
    allowed = settings.memory_mb * settings.slots if settings.memory_mb else total
    try:
        identity = {"uuid": _processor_uuid(settings.state_dir)}
    except OSError as error:
        log.warning("the processor is not offered as a device: %s", error)
        identity = {}
    return _cpu() | identity | {"memory_mb": min(allowed, total)}


def device_count(capabilities: dict[str, Any]) -> int:
    """Return how many devices these capabilities offer for rent."""
    return len(capabilities.get("gpus") or []) or int("uuid" in (capabilities.get("cpu") or {}))


def metrics(gpu_metrics: list[dict[str, Any]], cpu: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return load, memory (MiB) and GPU metrics now; `cpu` is the processor's description where it can be rented."""
    measured: dict[str, Any] = {
        "load_1m": _load(),
        "memory_available_mb": memory.available_mb(),
        "gpus": gpu_metrics,
    }
    if not gpu_metrics and cpu and "uuid" in cpu:
        measured["gpus"] = [_processor_metrics(cpu)]
    if gpu_metrics:  # the legacy miners' names
        measured["gpu_utilization"] = max(gpu.get("utilization", 0) for gpu in gpu_metrics)
        measured["memory_used"] = sum(gpu.get("memory_used_mb", 0) for gpu in gpu_metrics)
        measured["memory_total"] = sum(gpu.get("memory_total_mb", 0) for gpu in gpu_metrics)
    return measured


def _processor_metrics(cpu: dict[str, Any]) -> dict[str, Any]:
    total, load = cpu["memory_mb"], _load() / (os.cpu_count() or 1)
    return {
        "uuid": cpu["uuid"],
        "utilization": round(min(100 * load, 100), 1),
        "memory_used_mb": min(memory.used_mb(), total),
        "memory_total_mb": total,
    }


def _load() -> float:
    """Return the load average of the last minute; 0 where the system has none."""
    with suppress(OSError):
        return round(os.getloadavg()[0], 2)
    return 0.0


def _processor_uuid(folder: Path) -> str:
    """Return the processor's UUID from the state folder; made at the first call. Raises OSError."""
    file = folder / "processor"
    stored = ""
    with suppress(FileNotFoundError, files.Unreadable):
        stored = decoded(files.content(file)).strip()
    if not PROCESSOR_UUID.fullmatch(stored):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        stored = f"CPU-{uuid.uuid4()}"
        files.write(file, f"{stored}\n".encode())
    return stored


def _cpu() -> dict[str, Any]:
    return {"name": _cpu_model(), "model": _cpu_model(), "cores": os.cpu_count() or 1, "platform": platform.machine()}


def _sorted_names(values: Iterable[str]) -> list[str]:
    return sorted(set(values))[: engines.MOST_NAMES]


def _cpu_model() -> str:
    """Return the processor's name as the kernel reports it, else its architecture."""
    with suppress(OSError):
        for line in decoded(CPUINFO.read_bytes()).splitlines():
            if line.startswith("model name") and (name := line.partition(":")[2].strip()):
                return name[: engines.NAME_LIMIT]
    return valid_text(platform.processor() or platform.machine())[: engines.NAME_LIMIT]
