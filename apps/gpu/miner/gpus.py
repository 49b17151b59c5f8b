"""The GPUs of this host, as the driver's own library (NVML) tells; a host without any is fine."""

from contextlib import contextmanager
from typing import Any

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
MIB = 2**20
MOST_LINKS = 18  # NVLink connections of the largest card so far
# Why clocks are held down (NVML's bit mask): heat, or the power limit.
TOO_HOT = 0x20 | 0x40
TOO_MUCH_POWER = 0x04 | 0x80


def detect() -> list[dict[str, Any]]:
    """Describe each GPU by what does not change while it works: identity, memory, bus, limits, largest clocks."""
    with _nvml() as nvml:
        return [_describe(nvml, place, handle) for place, handle in _handles(nvml)] if nvml else []


def cuda_version() -> str | None:
    """Return the CUDA version the driver supports, e.g. "12.4"."""
    with _nvml() as nvml:
        if not nvml:
            return None
        version = nvml.nvmlSystemGetCudaDriverVersion_v2()
        return f"{version // 1000}.{version % 1000 // 10}"


def metrics() -> list[dict[str, Any]]:
    """Return load, memory, power, heat and clocks of each GPU now; what a card does not tell is left out."""
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


def _describe(nvml, place: int, handle) -> dict[str, Any]:
    name = _text(_asked(nvml, "nvmlDeviceGetName", handle)) or "unknown"
    memory = _asked(nvml, "nvmlDeviceGetMemoryInfo", handle)
    capability = _asked(nvml, "nvmlDeviceGetCudaComputeCapability", handle)
    return _told(
        index=place,
        uuid=_text(_asked(nvml, "nvmlDeviceGetUUID", handle)),
        name=name,
        memory_mb=memory.total // MIB if memory else 0,
        architecture=ARCHITECTURES.get(_asked(nvml, "nvmlDeviceGetArchitecture", handle), "unknown"),
        consumer_grade="geforce" in name.lower(),
        driver=_text(_asked(nvml, "nvmlSystemGetDriverVersion")),
        cuda=cuda_version(),
        compute_capability=f"{capability[0]}.{capability[1]}" if capability else None,
        vbios=_text(_asked(nvml, "nvmlDeviceGetVbiosVersion", handle)),
        display_attached=_flag(_asked(nvml, "nvmlDeviceGetDisplayActive", handle)),
        pci=_bus(nvml, handle),
        power=_power(nvml, handle),
        clocks=_clocks(nvml, handle, "nvmlDeviceGetMaxClockInfo", "_max_mhz"),
        mig=_partitions(nvml, handle),
        nvlink=_links(nvml, handle),
    )


def _bus(nvml, handle) -> dict[str, Any]:
    """Where it sits. The largest generation and width: an idle card lowers both to save power."""
    bus = _asked(nvml, "nvmlDeviceGetPciInfo", handle)
    return _told(
        bus_id=_text(bus.busId) if bus else None,
        max_generation=_asked(nvml, "nvmlDeviceGetMaxPcieLinkGeneration", handle),
        max_lanes=_asked(nvml, "nvmlDeviceGetMaxPcieLinkWidth", handle),
    )


def _power(nvml, handle) -> dict[str, Any]:
    least, most = _asked(nvml, "nvmlDeviceGetPowerManagementLimitConstraints", handle) or (None, None)
    default = _asked(nvml, "nvmlDeviceGetPowerManagementDefaultLimit", handle)
    limit = _asked(nvml, "nvmlDeviceGetPowerManagementLimit", handle)
    watts = {"min_w": least, "max_w": most, "default_w": default, "limit_w": limit}
    return {name: round(value / 1000, 1) for name, value in watts.items() if value is not None}


def _clocks(nvml, handle, question: str, ending: str) -> dict[str, Any]:
    kinds = {"graphics": "NVML_CLOCK_GRAPHICS", "memory": "NVML_CLOCK_MEM", "sm": "NVML_CLOCK_SM"}
    found = {f"{name}{ending}": _asked(nvml, question, handle, getattr(nvml, kind)) for name, kind in kinds.items()}
    return _told(**found)


def _partitions(nvml, handle) -> dict[str, Any]:
    """Whether the card is cut into instances (MIG), and into how many."""
    mode = _asked(nvml, "nvmlDeviceGetMigMode", handle)
    if mode is None:
        return {}
    most = _asked(nvml, "nvmlDeviceGetMaxMigDeviceCount", handle) or 0
    cut = [_asked(nvml, "nvmlDeviceGetMigDeviceHandleByIndex", handle, n) for n in range(most if mode[0] else 0)]
    return {"capable": True, "enabled": bool(mode[0]), "instances": sum(one is not None for one in cut)}


def _links(nvml, handle) -> dict[str, Any]:
    up = sum(bool(_asked(nvml, "nvmlDeviceGetNvLinkState", handle, link)) for link in range(MOST_LINKS))
    return {"links": up} if up else {}


def _measure(nvml, place: int, handle) -> dict[str, Any]:
    rates = _asked(nvml, "nvmlDeviceGetUtilizationRates", handle)
    memory = _asked(nvml, "nvmlDeviceGetMemoryInfo", handle)
    power = _asked(nvml, "nvmlDeviceGetPowerUsage", handle)
    held = _asked(nvml, "nvmlDeviceGetCurrentClocksThrottleReasons", handle)
    clocks = _clocks(nvml, handle, "nvmlDeviceGetClockInfo", "_clock_mhz")
    return _told(
        index=place,
        uuid=_text(_asked(nvml, "nvmlDeviceGetUUID", handle)),
        utilization=rates.gpu if rates else None,
        memory_used_mb=memory.used // MIB if memory else None,
        memory_total_mb=memory.total // MIB if memory else None,
        power_w=round(power / 1000, 1) if power is not None else None,
        temperature_c=_asked(nvml, "nvmlDeviceGetTemperature", handle, nvml.NVML_TEMPERATURE_GPU),
        fan_percent=_asked(nvml, "nvmlDeviceGetFanSpeed", handle),
        graphics_clock_mhz=clocks.get("graphics_clock_mhz"),
        memory_clock_mhz=clocks.get("memory_clock_mhz"),
        thermal_throttling_active=None if held is None else bool(held & TOO_HOT),
        power_limit_active=None if held is None else bool(held & TOO_MUCH_POWER),
    )


def _asked(nvml, question: str, *arguments):
    """Ask the driver; None for what this card, or this version of the library, cannot tell."""
    try:
        return getattr(nvml, question)(*arguments)
    except (nvml.NVMLError, AttributeError):
        return None


def _told(**facts) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in (None, {})}


def _flag(value) -> bool | None:
    return None if value is None else bool(value)


def _text(value) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
