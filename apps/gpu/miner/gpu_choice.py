"""Which GPUs a job's process sees."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from apps.gpu.miner.bookings import gpu_uuids

MB_PER_GB = 1024


class GpuChoice:
    """Chooses among the devices of this host, which `gpus` returns as registrations list them.

    Of slices (MIG) CUDA shows a process one at a time, the first of those it may use; so the choice is made here: one
    with the memory that the job requires, that the fewest other jobs use, the largest.
    """

    def __init__(self, gpus: Callable[[], list[dict[str, Any]]]):
        self._gpus = gpus
        self._jobs: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def use(self, job: dict[str, Any]) -> Iterator[tuple[str, ...] | None]:
        """Yield the UUIDs of the devices that the job's process sees; None: all, none: no GPU."""
        with self._lock:
            visible = self._choose(job)
            self._jobs.update(visible or ())
        try:
            yield visible
        finally:
            with self._lock:
                self._jobs.subtract(visible or ())

    def _choose(self, job: dict[str, Any]) -> tuple[str, ...] | None:
        allowed, devices = gpu_uuids(job), self._gpus()
        if not any(str(device.get("uuid")).startswith("MIG-") for device in devices):
            return allowed
        found = [device for device in devices if "uuid" in device and (allowed is None or device["uuid"] in allowed)]
        if not found:
            return allowed
        required = _required_mb(job)

        def worth(device: dict[str, Any]) -> tuple[bool, int, int]:
            memory = device.get("memory_mb", 0)
            return memory >= required, -self._jobs[device["uuid"]], memory

        return (max(found, key=worth)["uuid"],)


def _required_mb(job: dict[str, Any]) -> float:
    constraints = job.get("constraints")
    value = constraints.get("min_vram_gb") if isinstance(constraints, dict) else None
    try:
        return float(value or 0) * MB_PER_GB
    except (TypeError, ValueError, OverflowError):
        return 0.0
