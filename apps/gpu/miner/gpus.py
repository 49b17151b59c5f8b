"""The GPUs of this host as the driver describes them; a host without any is fine.

These functions run in the process of `driver.py`: a driver may hang or crash.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from apps.gpu.miner import nvml
from apps.gpu.miner.nvml import NOT_SUPPORTED, Device, Unread, attempt, number, query, text

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
UNKNOWN = "unknown"
MAX_LINKS = 18  # NVLink connections of the largest GPU so far
MAX_WATTS, MAX_MHZ = 20_000, 100_000  # larger readings are nonsense
# Why clocks are held down (NVML's bit mask of clocks event reasons): heat, or the power limit.
THERMAL_REASONS = 0x20 | 0x40
POWER_REASONS = 0x04 | 0x80
CLOCKS = {"graphics": 0, "sm": 1, "memory": 2}  # NVML_CLOCK_GRAPHICS, _SM, _MEM
TEMPERATURE_GPU = 0  # NVML_TEMPERATURE_GPU


class Detected(NamedTuple):
    """The devices of this host; the GPUs that cannot be read (members of Unread); whether there is a driver at all."""

    gpus: list[dict[str, Any]]
    unread: list[dict[str, Any]]
    driver: bool


def detect() -> Detected:
    """Describe each device by what does not change while it works: identity, memory, bus, limits, largest clocks.

    Of a GPU that is cut (MIG), each slice is a device. Raises DriverFailed.
    """
    with nvml.driver() as library:
        places = list(nvml.places(library)) if library else []
        unread = [place for place in places if isinstance(place, Unread)]
        found = []
        for device in places:
            if isinstance(device, Unread):
                continue
            entry = describe(library, device)
            if device.is_slice and "uuid" not in entry:  # it is reached by that only (CUDA_VISIBLE_DEVICES)
                unread.append(Unread(device.index, cut=True))
            else:
                found.append(entry)
        return Detected(found, [vars(place) for place in dict.fromkeys(unread)], driver=library is not None)


def completed(
    found: list[dict[str, Any]], earlier: list[dict[str, Any]], unread: Iterable[dict[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Return the devices found, each with what was known of it, and those known of GPUs that cannot be read now.

    They do not change: a reading that fails once must not make another card of it.
    """
    named = {device["uuid"] for device in found if "uuid" in device}
    known = {device["uuid"]: device for device in earlier if "uuid" in device}
    places = {device["index"]: device for device in earlier if not _is_cut(device) and device.get("uuid") not in named}
    listed = [device for device in earlier if device.get("uuid") not in named and _is_unread(device, unread)]
    for device in found:
        same = known.get(device["uuid"]) if "uuid" in device else places.get(device["index"])
        listed.append({"name": UNKNOWN, "architecture": UNKNOWN} | _updated(same or {}, device))
    return sorted(listed, key=lambda device: (device["index"], device.get("mig", {}).get("slot", 0)))


def _updated(earlier: dict[str, Any], device: dict[str, Any]) -> dict[str, Any]:
    """Return a device's description with what only the earlier one has.

    Memory of its own that was read once stays: "not supported" in place of it is a reading that failed.
    """
    if "memory_mb" not in device:
        return earlier | device
    memory = {"memory_mb": device["memory_mb"], "unified_memory": device.get("unified_memory")}
    if memory["unified_memory"] and "memory_mb" in earlier and not earlier.get("unified_memory"):
        memory = {"memory_mb": earlier["memory_mb"], "unified_memory": None}
    return _known(**earlier | device | memory)


def _is_unread(device: dict[str, Any], unread: Iterable[dict[str, Any]]) -> bool:
    """Whether this device may be one of those that cannot be read: a whole GPU is not one of a cut GPU's."""
    return any(place["index"] == device["index"] and (_is_cut(device) or not place["cut"]) for place in unread)


def _is_cut(device: dict[str, Any]) -> bool:
    return bool(device.get("mig", {}).get("enabled"))


def cuda_version() -> str | None:
    """Return the CUDA version the driver supports, e.g. "12.4". Raises DriverFailed."""
    with nvml.driver() as library:
        return _cuda(library) if library else None


def metrics() -> list[dict[str, Any]]:
    """Return load (%), memory (MiB), power (W), heat (°C), clocks (MHz) of each device, as far as it reports them.

    Raises DriverFailed.
    """
    with nvml.driver() as library:
        return [measure(library, device) for device in nvml.devices(library)] if library else []


def describe(library: Any, device: Device) -> dict[str, Any]:
    """Describe one device as a registration's `gpus` list it; see detect."""
    board, memory = device.board, nvml.memory_of(library, device)
    name = _name(library, device)
    shared = _known(
        index=device.index,
        uuid=text(library, "nvmlDeviceGetUUID", device.handle),
        name=name,
        memory_mb=memory.total_mb if memory else None,
        unified_memory=True if memory and memory.unified else None,
        architecture=_architecture(library, board),
        consumer_grade="geforce" in name.lower() if name else None,
        driver=text(library, "nvmlSystemGetDriverVersion"),
        cuda=_cuda(library),
        compute_capability=_compute_capability(library, board),
        vbios=text(library, "nvmlDeviceGetVbiosVersion", board),
        pci=_pci(library, board),
    )
    return shared | (_slice(library, device) if device.is_slice else _whole(library, board))


def measure(library: Any, device: Device) -> dict[str, Any]:
    """Return the metrics of one device as a heartbeat's `metrics` list them; see metrics.

    Of a slice NVML knows the memory; power, heat and clocks are the whole GPU's and are left out.
    """
    memory = nvml.memory_of(library, device)
    rates = query(library, "nvmlDeviceGetUtilizationRates", device.handle)
    shared = _known(
        index=device.index,
        uuid=text(library, "nvmlDeviceGetUUID", device.handle),
        utilization=number(nvml.member(rates, "gpu"), 0, 100),
        memory_used_mb=memory.used_mb if memory else None,
        memory_total_mb=memory.total_mb if memory else None,
    )
    return shared | ({} if device.is_slice else _measure_whole(library, device.handle))


def _measure_whole(library: Any, handle: Any) -> dict[str, Any]:
    reasons = number(query(library, "nvmlDeviceGetCurrentClocksThrottleReasons", handle), 0, 2**64)
    clocks = _clocks(library, handle, "nvmlDeviceGetClockInfo", "_clock_mhz")
    return _known(
        power_w=_watts(query(library, "nvmlDeviceGetPowerUsage", handle)),
        temperature_c=number(query(library, "nvmlDeviceGetTemperature", handle, TEMPERATURE_GPU), -100, 300),
        fan_percent=number(query(library, "nvmlDeviceGetFanSpeed", handle), 0, 300),
        graphics_clock_mhz=clocks.get("graphics_clock_mhz"),
        memory_clock_mhz=clocks.get("memory_clock_mhz"),
        thermal_throttling_active=None if reasons is None else bool(int(reasons) & THERMAL_REASONS),
        power_limit_active=None if reasons is None else bool(int(reasons) & POWER_REASONS),
    )


def _whole(library: Any, handle: Any) -> dict[str, Any]:
    """Describe what a slice does not have."""
    return _known(
        display_attached=_flag(query(library, "nvmlDeviceGetDisplayActive", handle)),
        power=_power(library, handle),
        clocks=_clocks(library, handle, "nvmlDeviceGetMaxClockInfo", "_max_mhz", least=1),
        mig=None if query(library, "nvmlDeviceGetMigMode", handle) is None else {"capable": True, "enabled": False},
        nvlink=_links(library, handle),
    )


def _slice(library: Any, device: Device) -> dict[str, Any]:
    return {
        "mig": _known(enabled=True, slot=device.slot, parent=text(library, "nvmlDeviceGetUUID", device.board)),
    }


def _name(library: Any, device: Device) -> str | None:
    """Return the device's name; a slice's is never that of its whole GPU, as older drivers report it."""
    answer, error = attempt(library, "nvmlDeviceGetName", device.handle)
    name = nvml.clean(answer)
    if not device.is_slice:
        return name
    if error in (0, NOT_SUPPORTED):  # else it could not be read just now
        name = name or text(library, "nvmlDeviceGetName", device.board)
    return name if name is None or "MIG" in name.split() else f"{name} MIG"


def _architecture(library: Any, handle: Any) -> str | None:
    value = number(query(library, "nvmlDeviceGetArchitecture", handle), 0, 1000)
    return None if value is None else ARCHITECTURES.get(int(value))


def _cuda(library: Any) -> str | None:
    version = number(query(library, "nvmlSystemGetCudaDriverVersion_v2"), 1000, 1_000_000)
    return None if version is None else f"{int(version) // 1000}.{int(version) % 1000 // 10}"


def _compute_capability(library: Any, handle: Any) -> str | None:
    value = query(library, "nvmlDeviceGetCudaComputeCapability", handle)
    parts = [number(part, 0, 1000) for part in value] if isinstance(value, list | tuple) else []
    return f"{parts[0]}.{parts[1]}" if len(parts) == 2 and None not in parts else None


def _pci(library: Any, handle: Any) -> dict[str, Any]:
    """Return address, largest generation and largest width of the bus: an idle GPU lowers both to save power."""
    bus = query(library, "nvmlDeviceGetPciInfo", handle)
    return _known(
        bus_id=nvml.clean(nvml.member(bus, "busId")),
        max_generation=number(query(library, "nvmlDeviceGetMaxPcieLinkGeneration", handle), 1, 100),
        max_lanes=number(query(library, "nvmlDeviceGetMaxPcieLinkWidth", handle), 1, 1000),
    )


def _power(library: Any, handle: Any) -> dict[str, Any]:
    limits = query(library, "nvmlDeviceGetPowerManagementLimitConstraints", handle)
    low, high = limits if isinstance(limits, list | tuple) and len(limits) == 2 else (None, None)
    return _known(
        min_w=power_limit(low),
        max_w=power_limit(high),
        default_w=power_limit(query(library, "nvmlDeviceGetPowerManagementDefaultLimit", handle)),
        limit_w=power_limit(query(library, "nvmlDeviceGetPowerManagementLimit", handle)),
    )


def power_limit(milliwatts: Any) -> float | None:
    """Return a power limit in watts; None where it is not known, which a driver may report as zero."""
    return _watts(milliwatts) or None


def _watts(milliwatts: Any) -> float | None:
    value = number(milliwatts, 0, MAX_WATTS * 1000)
    return None if value is None else round(value / 1000, 1)


def _clocks(library: Any, handle: Any, function: str, suffix: str, least: int = 0) -> dict[str, Any]:
    readings = {name: query(library, function, handle, kind) for name, kind in CLOCKS.items()}
    return _known(**{f"{name}{suffix}": number(value, least, MAX_MHZ) for name, value in readings.items()})


def _links(library: Any, handle: Any) -> dict[str, int]:
    active = sum(query(library, "nvmlDeviceGetNvLinkState", handle, link) == 1 for link in range(MAX_LINKS))
    return {"links": active} if active else {}


def _known(**facts: Any) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in (None, {})}


def _flag(value: Any) -> bool | None:
    known = number(value, 0, 1)
    return None if known is None else bool(known)
