"""The state of a GPU, and the one setting that the exchange may change: its power limit."""

from typing import Any

from apps.gpu.miner import gpus

ALLOWED = frozenset({"power_limit_w"})  # any other setting is refused, however well the command is signed


class NotPermitted(Exception):
    """This host cannot or will not change the setting; the text says why."""


def state(uuid: str = "") -> dict[str, Any]:
    """Return driver, clocks (MHz), temperature (°C), power (W) of a GPU (the first without a UUID); {} without NVML."""
    with gpus.driver() as nvml:
        handle = _handle(nvml, uuid) if nvml else None
        return {} if handle is None else _state(nvml, handle)


def apply(uuid: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Change settings of a GPU; return the settings now in force. Raises NotPermitted with the reason."""
    if unknown := sorted(set(settings) - ALLOWED):
        raise NotPermitted(f"this miner does not change {', '.join(unknown)}")
    watts = settings.get("power_limit_w")
    if not isinstance(watts, int | float) or isinstance(watts, bool):
        raise NotPermitted("power_limit_w must be a number of watts")
    with gpus.driver() as nvml:
        if not nvml:
            raise NotPermitted("there is no NVIDIA driver here, so that no power limit can be set")
        handle = _handle(nvml, uuid)
        if handle is None:
            raise NotPermitted(f"there is no card {uuid or 'here'}")
        return _set_power_limit(nvml, handle, float(watts))


def _set_power_limit(nvml: Any, handle: Any, watts: float) -> dict[str, Any]:
    try:
        low, high = nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)
        if not low <= watts * 1000 <= high:
            raise NotPermitted(f"{watts:g} W is not within the card's {low / 1000:g} to {high / 1000:g} W")
        nvml.nvmlDeviceSetPowerManagementLimit(handle, round(watts * 1000))
    except nvml.NVMLError as error:
        raise NotPermitted(f"the driver refused: {error} (setting a power limit needs root)") from error
    return {"power_limit_w": gpus.query(nvml, "nvmlDeviceGetPowerManagementLimit", handle) / 1000}


def _handle(nvml: Any, uuid: str) -> Any:
    for _, handle in gpus.handles(nvml):
        if not uuid or gpus.text(gpus.query(nvml, "nvmlDeviceGetUUID", handle)) == uuid:
            return handle
    return None


def _state(nvml: Any, handle: Any) -> dict[str, Any]:
    limit = gpus.query(nvml, "nvmlDeviceGetPowerManagementLimit", handle)
    draw = gpus.query(nvml, "nvmlDeviceGetPowerUsage", handle)
    found = {
        "driver": gpus.text(gpus.query(nvml, "nvmlSystemGetDriverVersion")),
        "graphics_mhz": gpus.query(nvml, "nvmlDeviceGetClockInfo", handle, nvml.NVML_CLOCK_GRAPHICS),
        "memory_mhz": gpus.query(nvml, "nvmlDeviceGetClockInfo", handle, nvml.NVML_CLOCK_MEM),
        "temperature_c": gpus.query(nvml, "nvmlDeviceGetTemperature", handle, nvml.NVML_TEMPERATURE_GPU),
        "power_limit_w": None if limit is None else limit / 1000,
        "power_w": None if draw is None else draw / 1000,
    }
    return {name: value for name, value in found.items() if value is not None}
