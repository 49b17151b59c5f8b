"""The settings of a card: reading them, and changing the one that an exchange may ask to change (its power limit)."""

from typing import Any

from apps.gpu.miner import gpus

ALLOWED = frozenset({"power_limit_w"})  # whatever else an order names is refused, however well it is signed


class NotPermitted(Exception):
    """This host cannot or will not change the setting; the text says why."""


def state(uuid: str = "") -> dict[str, Any]:
    """Driver, clocks, temperature and power of one card (the first without a UUID) now; {} where NVML is not."""
    with gpus._nvml() as nvml:
        handle = _handle(nvml, uuid) if nvml else None
        return {} if handle is None else _read(nvml, handle)


def apply(uuid: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Change settings of a card; returns what is set now. Raises NotPermitted with the reason."""
    if strange := sorted(set(settings) - ALLOWED):
        raise NotPermitted(f"this miner does not change {', '.join(strange)}")
    watts = settings.get("power_limit_w")
    if not isinstance(watts, int | float) or isinstance(watts, bool):
        raise NotPermitted("power_limit_w must be a number of watts")
    with gpus._nvml() as nvml:
        if not nvml:
            raise NotPermitted("there is no NVIDIA driver here, so that no power limit can be set")
        handle = _handle(nvml, uuid)
        if handle is None:
            raise NotPermitted(f"there is no card {uuid or 'here'}")
        return _limit(nvml, handle, float(watts))


def _limit(nvml: Any, handle: Any, watts: float) -> dict[str, Any]:
    try:
        low, high = nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)
        if not low <= watts * 1000 <= high:
            raise NotPermitted(f"{watts:g} W is not within the card's {low / 1000:g} to {high / 1000:g} W")
        nvml.nvmlDeviceSetPowerManagementLimit(handle, round(watts * 1000))
    except nvml.NVMLError as error:
        raise NotPermitted(f"the driver refused: {error} (setting a power limit needs root)") from error
    return {"power_limit_w": _asked(nvml, nvml.nvmlDeviceGetPowerManagementLimit, handle) / 1000}


def _handle(nvml: Any, uuid: str) -> Any:
    for _, handle in gpus._handles(nvml):
        if not uuid or gpus._text(_asked(nvml, nvml.nvmlDeviceGetUUID, handle)) == uuid:
            return handle
    return None


def _asked(nvml: Any, question: Any, *arguments: Any) -> Any:
    """Ask the driver; None for what this card cannot tell."""
    try:
        return question(*arguments)
    except nvml.NVMLError:
        return None


def _read(nvml: Any, handle: Any) -> dict[str, Any]:
    def asked(question: Any, *more: Any) -> Any:
        return _asked(nvml, question, handle, *more)

    limit, draw = asked(nvml.nvmlDeviceGetPowerManagementLimit), asked(nvml.nvmlDeviceGetPowerUsage)
    found = {
        "driver": gpus._text(_asked(nvml, nvml.nvmlSystemGetDriverVersion)),
        "graphics_mhz": asked(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_GRAPHICS),
        "memory_mhz": asked(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_MEM),
        "temperature_c": asked(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU),
        "power_limit_w": None if limit is None else limit / 1000,
        "power_w": None if draw is None else draw / 1000,
    }
    return {name: value for name, value in found.items() if value is not None}
