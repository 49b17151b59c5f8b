"""This host: the capabilities a miner registers with, and the metrics of its heartbeats."""

import logging
import os
import platform
import uuid
from pathlib import Path
from typing import Any

from apps.gpu.logic.challenge import SUITE
from apps.gpu.miner import engines, gpus
from apps.gpu.miner.settings import Settings

log = logging.getLogger("aitbc.miner")


def capabilities(settings: Settings, offered: dict[str, engines.Engine]) -> dict[str, Any]:
    """Return the capabilities that a registration sends: hardware, engines' task types and models, price, region."""
    detected = gpus.detect()
    values = {
        "gpus": detected,
        "cuda": gpus.cuda_version(),
        "cpu": processor(settings) if settings.cpu_device and not detected else _cpu(),
        "memory_mb": memory_mb(),
        "models": sorted({model for engine in offered.values() for model in _models(engine)}),
        "tasks": sorted({word for engine in offered.values() for word in engines.task_types(engine)}),
        "price": settings.price or None,
        "region": settings.region or None,
        "platform": "CUDA" if detected else "CPU",
        "max_concurrent_jobs": settings.slots,
        "benchmark_suite": SUITE,
    }
    return {name: value for name, value in values.items() if value is not None}


def processor(settings: Settings) -> dict[str, Any]:
    """Describe the processor as a device that can be rented: its memory (MiB) is what this miner's jobs may use.

    Its UUID is made once and stored in the state folder: two miners on one host offer a share each.
    """
    allowed = settings.memory_mb * settings.slots if settings.memory_mb else memory_mb()
    return _cpu() | {"uuid": _processor_uuid(settings.state_dir), "memory_mb": min(allowed, memory_mb())}


def device_count(capabilities: dict[str, Any]) -> int:
    """Return how many devices these capabilities offer for rent."""
    return len(capabilities.get("gpus") or []) or int("uuid" in (capabilities.get("cpu") or {}))


def metrics(cpu: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return load, memory (MiB) and GPU metrics now; `cpu` is the processor's description where it can be rented."""
    gpu_metrics = gpus.metrics()
    measured: dict[str, Any] = {
        "load_1m": round(os.getloadavg()[0], 2),
        "memory_available_mb": _meminfo("MemAvailable"),
        "gpus": gpu_metrics,
    }
    if not gpu_metrics and cpu and "uuid" in cpu:
        measured["gpus"] = [_processor_metrics(cpu)]
    if gpu_metrics:  # the legacy miners' names
        measured["gpu_utilization"] = max(gpu.get("utilization", 0) for gpu in gpu_metrics)
        measured["memory_used"] = sum(gpu.get("memory_used_mb", 0) for gpu in gpu_metrics)
        measured["memory_total"] = sum(gpu.get("memory_total_mb", 0) for gpu in gpu_metrics)
    return measured


def memory_mb() -> int:
    """Return the memory of this host in MiB, or the container's limit where that is lower."""
    limits = [_meminfo("MemTotal")]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = Path(file).read_text().strip() if Path(file).is_file() else ""
        if text.isdigit():
            limits.append(int(text) // 2**20)
    return min(limits)


def _processor_metrics(cpu: dict[str, Any]) -> dict[str, Any]:
    total, load = cpu["memory_mb"], os.getloadavg()[0] / (os.cpu_count() or 1)
    used = max(_meminfo("MemTotal") - _meminfo("MemAvailable"), 0)
    return {
        "uuid": cpu["uuid"],
        "utilization": round(min(100 * load, 100), 1),
        "memory_used_mb": min(used, total),
        "memory_total_mb": total,
    }


def _processor_uuid(folder: Path) -> str:
    """Return the processor's UUID from the state folder; made at the first call."""
    file = folder / "processor"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_text(f"CPU-{uuid.uuid4()}\n")
    return file.read_text().strip()


def _cpu() -> dict[str, Any]:
    return {"name": _cpu_model(), "model": _cpu_model(), "cores": os.cpu_count() or 1, "platform": platform.machine()}


def _models(engine: engines.Engine) -> list[str]:
    try:
        return engine.models()
    except Exception:  # engines are third-party code: one that fails here offers no model by name
        log.exception("the models of engine %s cannot be listed", engine.name)
        return []


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _meminfo(name: str) -> int:
    """Return a line of /proc/meminfo in MiB; elsewhere, all pages there are."""
    if Path("/proc/meminfo").is_file():
        line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith(name + ":"))
        return int(line.split()[1]) // 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
