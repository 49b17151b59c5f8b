"""The GPUs of this host, as the driver's own library (NVML) tells; a host without any is fine."""

from contextlib import contextmanager

ARCHITECTURES = {
    2: "kepler",
    3: "maxwell",
    4: "pascal",
    5: "volta",
    6: "turing",
    7: "ampere",
    8: "ada_lovelace",
    9: "hopper",
    10: "blackwell",
}


def detect() -> list[dict]:
    """Describe each GPU: name, memory, architecture, index and UUID."""
    with _nvml() as nvml:
        return [_describe(nvml, place, handle) for place, handle in _handles(nvml)] if nvml else []


def cuda_version() -> str | None:
    """Return the CUDA version the driver supports, e.g. "12.4"."""
    with _nvml() as nvml:
        if not nvml:
            return None
        version = nvml.nvmlSystemGetCudaDriverVersion_v2()
        return f"{version // 1000}.{version % 1000 // 10}"


def metrics() -> list[dict]:
    """Return load, memory, power and temperature of each GPU now; what a card does not tell is left out."""
    with _nvml() as nvml:
        return [_measure(nvml, place, handle) for place, handle in _handles(nvml)] if nvml else []


@contextmanager
def _nvml():
    """Yield the library, ready for use, or None where there is no driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no package, no driver, no permission: all the same to us
        yield None
        return
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def _handles(nvml):
    for place in range(nvml.nvmlDeviceGetCount()):
        try:
            yield place, nvml.nvmlDeviceGetHandleByIndex(place)
        except nvml.NVMLError:
            continue  # a card that fell off the bus must not hide the others


def _describe(nvml, place: int, handle) -> dict:
    architecture = _asked(nvml, nvml.nvmlDeviceGetArchitecture, handle)
    name = _text(_asked(nvml, nvml.nvmlDeviceGetName, handle)) or "unknown"
    memory = _asked(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
    return {
        "index": place,
        "uuid": _text(_asked(nvml, nvml.nvmlDeviceGetUUID, handle)),
        "name": name,
        "memory_mb": memory.total // 2**20 if memory else 0,
        "architecture": ARCHITECTURES.get(architecture, "unknown"),
        "consumer_grade": "geforce" in name.lower(),
    }


def _measure(nvml, place: int, handle) -> dict:
    rates = _asked(nvml, nvml.nvmlDeviceGetUtilizationRates, handle)
    memory = _asked(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
    power = _asked(nvml, nvml.nvmlDeviceGetPowerUsage, handle)
    found = {
        "index": place,
        "utilization": rates.gpu if rates else None,
        "memory_used_mb": memory.used // 2**20 if memory else None,
        "memory_total_mb": memory.total // 2**20 if memory else None,
        "power_w": round(power / 1000, 1) if power is not None else None,
        "temperature_c": _asked(nvml, nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
    }
    return {name: value for name, value in found.items() if value is not None}


def _asked(nvml, question, *arguments):
    """Ask the driver; None for what this card cannot tell."""
    try:
        return question(*arguments)
    except nvml.NVMLError:
        return None


def _text(value) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
