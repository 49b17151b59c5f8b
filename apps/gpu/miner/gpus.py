"""The GPUs of this host as the driver's own library (NVML) describes them; a host without any is fine."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger("aitbc.miner")

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
MAX_LINKS = 18  # NVLink connections of the largest GPU so far
# Why clocks are held down (NVML's bit mask of clocks event reasons): heat, or the power limit.
THERMAL_REASONS = 0x20 | 0x40
POWER_REASONS = 0x04 | 0x80


def detect() -> list[dict[str, Any]]:
    """Describe each GPU by what does not change while it works: identity, memory, bus, limits, largest clocks."""
    with driver() as nvml:
        return [describe(nvml, index, handle) for index, handle in handles(nvml)] if nvml else []


def cuda_version() -> str | None:
    """Return the CUDA version the driver supports, e.g. "12.4"."""
    with driver() as nvml:
        if not nvml:
            return None
        version = nvml.nvmlSystemGetCudaDriverVersion_v2()
        return f"{version // 1000}.{version % 1000 // 10}"


def metrics() -> list[dict[str, Any]]:
    """Return load (%), memory (MiB), power (W), heat (°C), clocks (MHz) of each GPU now, as far as it reports them."""
    with driver() as nvml:
        return [measure(nvml, index, handle) for index, handle in handles(nvml)] if nvml else []


@contextmanager
def driver() -> Iterator[Any]:
    """Yield the NVML library (pynvml, which carries no types), ready for use, or None where there is no driver."""
    nvml = _initialized()
    try:
        yield nvml
    finally:
        if nvml:
            nvml.nvmlShutdown()


def _initialized() -> Any:
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except (pynvml.NVMLError, OSError) as error:  # no driver, no permission
        log.debug("NVML is not usable: %s", error)
        return None
    return pynvml


def handles(nvml: Any) -> Iterator[tuple[int, Any]]:
    """Yield index and handle of each GPU that responds."""
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            yield index, nvml.nvmlDeviceGetHandleByIndex(index)
        except nvml.NVMLError:
            continue  # a GPU that fell off the bus must not hide the others


def query(nvml: Any, function: str, *arguments: Any) -> Any:
    """Call a function of NVML by name; None for what this GPU, or this version of the library, does not support."""
    try:
        return getattr(nvml, function)(*arguments)
    except (nvml.NVMLError, AttributeError):
        return None


def text(value: str | bytes | None) -> str | None:
    """Return a string of NVML as text: older versions of the library return bytes."""
    return value.decode() if isinstance(value, bytes) else value


def describe(nvml: Any, index: int, handle: Any) -> dict[str, Any]:
    """Describe one GPU as a registration's `gpus` list it; see detect."""
    name = text(query(nvml, "nvmlDeviceGetName", handle)) or "unknown"
    memory = query(nvml, "nvmlDeviceGetMemoryInfo", handle)
    capability = query(nvml, "nvmlDeviceGetCudaComputeCapability", handle)
    return _known(
        index=index,
        uuid=text(query(nvml, "nvmlDeviceGetUUID", handle)),
        name=name,
        memory_mb=memory.total // MIB if memory else 0,
        architecture=ARCHITECTURES.get(query(nvml, "nvmlDeviceGetArchitecture", handle), "unknown"),
        consumer_grade="geforce" in name.lower(),
        driver=text(query(nvml, "nvmlSystemGetDriverVersion")),
        cuda=cuda_version(),
        compute_capability=f"{capability[0]}.{capability[1]}" if capability else None,
        vbios=text(query(nvml, "nvmlDeviceGetVbiosVersion", handle)),
        display_attached=_flag(query(nvml, "nvmlDeviceGetDisplayActive", handle)),
        pci=_pci(nvml, handle),
        power=_power(nvml, handle),
        clocks=_clocks(nvml, handle, "nvmlDeviceGetMaxClockInfo", "_max_mhz"),
        mig=_partitions(nvml, handle),
        nvlink=_links(nvml, handle),
    )


def measure(nvml: Any, index: int, handle: Any) -> dict[str, Any]:
    """Return the metrics of one GPU as a heartbeat's `metrics` list them; see metrics."""
    rates = query(nvml, "nvmlDeviceGetUtilizationRates", handle)
    memory = query(nvml, "nvmlDeviceGetMemoryInfo", handle)
    power = query(nvml, "nvmlDeviceGetPowerUsage", handle)
    reasons = query(nvml, "nvmlDeviceGetCurrentClocksThrottleReasons", handle)
    clocks = _clocks(nvml, handle, "nvmlDeviceGetClockInfo", "_clock_mhz")
    return _known(
        index=index,
        uuid=text(query(nvml, "nvmlDeviceGetUUID", handle)),
        utilization=rates.gpu if rates else None,
        memory_used_mb=memory.used // MIB if memory else None,
        memory_total_mb=memory.total // MIB if memory else None,
        power_w=round(power / 1000, 1) if power is not None else None,
        temperature_c=query(nvml, "nvmlDeviceGetTemperature", handle, nvml.NVML_TEMPERATURE_GPU),
        fan_percent=query(nvml, "nvmlDeviceGetFanSpeed", handle),
        graphics_clock_mhz=clocks.get("graphics_clock_mhz"),
        memory_clock_mhz=clocks.get("memory_clock_mhz"),
        thermal_throttling_active=None if reasons is None else bool(reasons & THERMAL_REASONS),
        power_limit_active=None if reasons is None else bool(reasons & POWER_REASONS),
    )


def _pci(nvml: Any, handle: Any) -> dict[str, Any]:
    """Return address, largest generation and largest width of the bus: an idle GPU lowers both to save power."""
    bus = query(nvml, "nvmlDeviceGetPciInfo", handle)
    return _known(
        bus_id=text(bus.busId) if bus else None,
        max_generation=query(nvml, "nvmlDeviceGetMaxPcieLinkGeneration", handle),
        max_lanes=query(nvml, "nvmlDeviceGetMaxPcieLinkWidth", handle),
    )


def _power(nvml: Any, handle: Any) -> dict[str, float]:
    low, high = query(nvml, "nvmlDeviceGetPowerManagementLimitConstraints", handle) or (None, None)
    default = query(nvml, "nvmlDeviceGetPowerManagementDefaultLimit", handle)
    limit = query(nvml, "nvmlDeviceGetPowerManagementLimit", handle)
    milliwatts = {"min_w": low, "max_w": high, "default_w": default, "limit_w": limit}
    return {name: round(value / 1000, 1) for name, value in milliwatts.items() if value is not None}


def _clocks(nvml: Any, handle: Any, function: str, suffix: str) -> dict[str, Any]:
    kinds = {"graphics": "NVML_CLOCK_GRAPHICS", "memory": "NVML_CLOCK_MEM", "sm": "NVML_CLOCK_SM"}
    return _known(
        **{f"{name}{suffix}": query(nvml, function, handle, getattr(nvml, kind)) for name, kind in kinds.items()}
    )


def _partitions(nvml: Any, handle: Any) -> dict[str, Any]:
    """Return whether the GPU is cut into instances (MIG), and into how many; {} where it cannot be."""
    mode = query(nvml, "nvmlDeviceGetMigMode", handle)
    if mode is None:
        return {}
    maximum = query(nvml, "nvmlDeviceGetMaxMigDeviceCount", handle) or 0
    slots = range(maximum if mode[0] else 0)
    instances = [query(nvml, "nvmlDeviceGetMigDeviceHandleByIndex", handle, slot) for slot in slots]
    return {"capable": True, "enabled": bool(mode[0]), "instances": sum(one is not None for one in instances)}


def _links(nvml: Any, handle: Any) -> dict[str, int]:
    active = sum(bool(query(nvml, "nvmlDeviceGetNvLinkState", handle, link)) for link in range(MAX_LINKS))
    return {"links": active} if active else {}


def _known(**facts: Any) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in (None, {})}


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)
