"""The measurements of a benchmark: memory bandwidth, fp32 and fp16 products, copies to and from the GPU, the disk.

Three warm-ups, then seven runs (of the disk: five runs); the median, and its 95 % bootstrap interval.
"""

import math
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy

from apps.gpu.miner import power
from apps.gpu.miner.devices import Device, seconds_of

WARM_UPS, RUNS, RESAMPLES = 3, 7, 2000
MIN_RUN_SECONDS, MAX_REPEATS = 0.02, 1000  # how long a run takes at least, and how often it is repeated for that
DISK_BYTES = 64 * 2**20
TERA, GIGA, MEGA = 1e12, 1e9, 1e6


def measure(device: Device, progress: Callable[[float, str], None] = lambda share, note: None) -> dict[str, Any]:
    """Return every measurement that this device supports: {name: {median, low, high, unit, runs}}."""
    results = {"mem_bandwidth_gbps": _repeated(device, *device.triad(), GIGA, "GB/s")}
    progress(0.2, "memory bandwidth measured")
    for name, dtype in (("fp32_tflops", "float32"), ("fp16_tflops", "float16")):
        if product := device.product(dtype):
            results[name] = _repeated(device, *product, TERA, "TFLOPS")
            progress(0.5, f"{dtype} measured")
        device.free()
    results |= {name: _repeated(device, *copy, GIGA, "GB/s") for name, copy in device.copies().items()}
    device.free()
    return results | _disk()


def environment(device: Device, uuid: str = "") -> dict[str, Any]:
    """Return the conditions of the measurements: libraries, driver, clocks (MHz), temperature (°C), power (W)."""
    gpu = power.state(uuid) if device.gpu else {}
    libraries = {"backend": device.backend, "numpy": numpy.__version__, **device.details}
    return {"device": device.kind, "name": device.name, **libraries, **gpu}


def summary(values: list[float], unit: str) -> dict[str, Any]:
    """Return the median of repeated measurements, and its 95 % bootstrap interval (Efron, 1979) as low and high."""
    runs = numpy.array(values)
    resampled = numpy.random.default_rng(0).choice(runs, (RESAMPLES, len(runs)))
    low, high = numpy.percentile(numpy.median(resampled, axis=1), [2.5, 97.5])
    rounded = [float(f"{value:.5g}") for value in (numpy.median(runs), low, high)]
    names = ("median", "low", "high")
    return {**dict(zip(names, rounded, strict=True)), "unit": unit, "runs": [float(f"{v:.5g}") for v in values]}


def _repeated(device: Device, run: Callable[[], Any], work: float, scale: float, unit: str) -> dict[str, Any]:
    """Measure runs of at least MIN_RUN_SECONDS: to start a GPU and wait for it takes as long as 0.2 ms of work."""
    once = min(seconds_of(device, run) for _ in range(WARM_UPS))
    times = min(max(1, math.ceil(MIN_RUN_SECONDS / max(once, 1e-9))), MAX_REPEATS)

    def together() -> None:
        for _ in range(times):
            run()

    return summary([times * work / scale / max(seconds_of(device, together), 1e-9) for _ in range(RUNS)], unit)


def _disk() -> dict[str, Any]:
    """Return the MB/s written and synced to the disk of the temporary folder."""
    block = os.urandom(2**20)
    rates = []
    for _ in range(5):
        with tempfile.TemporaryFile() as file:
            started = time.perf_counter()
            for _ in range(DISK_BYTES // len(block)):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
            rates.append(DISK_BYTES / MEGA / (time.perf_counter() - started))
    return {"disk_mbps": summary(rates, "MB/s")}
