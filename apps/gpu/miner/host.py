"""What this host is and offers: the capabilities a miner registers with, and what it measures while it works."""

import os
import platform
import uuid
from pathlib import Path
from typing import Any

from apps.gpu.logic.challenge import SUITE
from apps.gpu.miner import engines, gpus
from apps.gpu.miner.settings import Options


def capabilities(options: Options, offered: dict[str, engines.Engine]) -> dict[str, Any]:
    """Describe host and offer in the words of the wire."""
    found = gpus.detect()
    described = {
        "gpus": found,
        "cuda": gpus.cuda_version(),
        "cpu": processor(options) if options.cpu_device and not found else _cpu(),
        "memory_mb": memory_mb(),
        "models": sorted({model for engine in offered.values() for model in _models(engine)}),
        "tasks": sorted({word for engine in offered.values() for word in engines.task_types(engine)}),
        "price": options.price or None,
        "region": options.region or None,
        "platform": "CUDA" if found else "CPU",
        "max_concurrent_jobs": options.slots,
        "benchmark_suite": SUITE,
    }
    return {name: value for name, value in described.items() if value is not None}


def processor(options: Options) -> dict[str, Any]:
    """Describe the processor as a device to rent: its memory is what this miner's jobs may use.

    Its UUID is made once and kept in the state folder: two miners on one host offer each its own share.
    """
    allowed = options.memory_mb * options.slots if options.memory_mb else memory_mb()
    return _cpu() | {"uuid": _kept_id(options.state_dir), "memory_mb": min(allowed, memory_mb())}


def devices(capabilities: dict[str, Any]) -> int:
    """How many devices these capabilities offer to rent."""
    return len(capabilities.get("gpus") or []) or int("uuid" in (capabilities.get("cpu") or {}))


def metrics(cpu: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what the host's processors and cards do at this moment; `cpu` is the processor where it is a device."""
    cards = gpus.metrics()
    measured: dict[str, Any] = {
        "load_1m": round(os.getloadavg()[0], 2),
        "memory_available_mb": _meminfo("MemAvailable"),
        "gpus": cards,
    }
    if not cards and cpu and "uuid" in cpu:
        measured["gpus"] = [_load(cpu)]
    if cards:  # the old miners' names, for those who read them
        measured["gpu_utilization"] = max(card.get("utilization", 0) for card in cards)
        measured["memory_used"] = sum(card.get("memory_used_mb", 0) for card in cards)
        measured["memory_total"] = sum(card.get("memory_total_mb", 0) for card in cards)
    return measured


def memory_mb() -> int:
    """Return the memory of this host, or the limit of the container around us where that is lower."""
    limits = [_meminfo("MemTotal")]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = Path(file).read_text().strip() if Path(file).is_file() else ""
        if text.isdigit():
            limits.append(int(text) // 2**20)
    return min(limits)


def _load(cpu: dict[str, Any]) -> dict[str, Any]:
    total, load = cpu["memory_mb"], os.getloadavg()[0] / (os.cpu_count() or 1)
    used = max(_meminfo("MemTotal") - _meminfo("MemAvailable"), 0)
    return {
        "uuid": cpu["uuid"],
        "utilization": round(min(100 * load, 100), 1),
        "memory_used_mb": min(used, total),
        "memory_total_mb": total,
    }


def _kept_id(folder: Path) -> str:
    """Return the processor's UUID out of the state folder; made at the first time."""
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
    except Exception:  # third-party code: an engine that cannot tell offers no model by name
        return []


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _meminfo(name: str) -> int:
    """Return a line of /proc/meminfo in MiB; elsewhere, all pages there are."""
    if Path("/proc/meminfo").is_file():
        line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith(name + ":"))
        return int(line.split()[1]) // 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
