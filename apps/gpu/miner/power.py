"""The state of a GPU, and the one setting that the exchange may change: its power limit."""

from typing import Any

from apps.gpu.miner import nvml
from apps.gpu.miner.gpus import CLOCKS, MAX_MHZ, MAX_WATTS, TEMPERATURE_GPU, power_limit
from apps.gpu.miner.nvml import number, query, text

ALLOWED = frozenset({"power_limit_w"})  # any other setting is refused, however well the command is signed


class NotPermitted(Exception):
    """This host cannot or will not change the setting; the text says why."""


def state(uuid: str = "") -> dict[str, Any]:
    """Return driver, clocks (MHz), temperature (°C), power (W) of a GPU (the first without a UUID); {} without NVML."""
    try:
        with nvml.driver() as library:
            handle = _handle(library, uuid) if library else None
            return {} if handle is None else _state(library, handle)
    except nvml.DriverFailed:
        return {}


def apply(uuid: str, settings: Any) -> dict[str, Any]:
    """Change settings of a GPU; return the settings now in force. Raises NotPermitted with the reason."""
    watts = _power_limit(settings)
    if uuid.startswith("MIG-"):
        raise NotPermitted("a slice (MIG) has no power limit of its own")
    try:
        with nvml.driver() as library:
            if not library:
                raise NotPermitted("there is no NVIDIA driver here, so that no power limit can be set")
            handle = _handle(library, uuid)
            if handle is None:
                raise NotPermitted(f"there is no card {uuid or 'here'} that the driver can read")
            return _set_power_limit(library, handle, watts)
    except nvml.DriverFailed as error:
        raise NotPermitted(str(error)) from error


def _power_limit(settings: Any) -> float:
    """Return the only setting that may be there, in watts. Raises NotPermitted."""
    members = settings if isinstance(settings, dict) else {}
    if unknown := sorted(map(str, set(members) - ALLOWED)):
        raise NotPermitted(f"this miner does not change {', '.join(unknown)}")
    watts = number(members.get("power_limit_w"), 0, 1_000_000)
    if watts is None:
        raise NotPermitted("power_limit_w must be a number of watts")
    return float(watts)


def _set_power_limit(library: Any, handle: Any, watts: float) -> dict[str, Any]:
    try:
        low, high = library.nvmlDeviceGetPowerManagementLimitConstraints(handle)
        if not low <= watts * 1000 <= high:
            raise NotPermitted(f"{watts:g} W is not within the card's {low / 1000:g} to {high / 1000:g} W")
        library.nvmlDeviceSetPowerManagementLimit(handle, round(watts * 1000))
    except NotPermitted:
        raise
    except Exception as error:  # the binding raises errors of its own, of ctypes and of missing functions
        raise NotPermitted(f"the driver refused: {error} (setting a power limit needs root)") from error
    return {"power_limit_w": power_limit(query(library, "nvmlDeviceGetPowerManagementLimit", handle)) or watts}


def _handle(library: Any, uuid: str) -> Any:
    for device in nvml.devices(library):
        if not uuid or text(library, "nvmlDeviceGetUUID", device.handle) == uuid:
            return device.handle
    return None


def _state(library: Any, handle: Any) -> dict[str, Any]:
    found = {
        "driver": text(library, "nvmlSystemGetDriverVersion"),
        "graphics_mhz": number(query(library, "nvmlDeviceGetClockInfo", handle, CLOCKS["graphics"]), 0, MAX_MHZ),
        "memory_mhz": number(query(library, "nvmlDeviceGetClockInfo", handle, CLOCKS["memory"]), 0, MAX_MHZ),
        "temperature_c": number(query(library, "nvmlDeviceGetTemperature", handle, TEMPERATURE_GPU), -100, 300),
        "power_limit_w": power_limit(query(library, "nvmlDeviceGetPowerManagementLimit", handle)),
        "power_w": _watts(query(library, "nvmlDeviceGetPowerUsage", handle)),
    }
    return {name: value for name, value in found.items() if value is not None}


def _watts(milliwatts: Any) -> float | None:
    value = number(milliwatts, 0, MAX_WATTS * 1000)
    return None if value is None else value / 1000
