"""The driver's own library (NVML, through pynvml, which carries no types), read so that no answer of it can do harm.

Each reading stands alone: what fails, is not supported, or makes no sense is None.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from apps.gpu.logic.encoding import decoded, valid_text
from apps.gpu.miner import memory

log = logging.getLogger("aitbc.miner")

MIB = 2**20
MOST_GPUS = 64  # of one host, slices counted
MOST_SLICES = 16  # of one GPU; the largest so far has 8
MAX_MEMORY_MB = 2**24  # 16 TiB
TEXT_LIMIT = 80
# Errors of nvmlInit that mean that there is no usable driver here (nvml.h); any other is a driver in trouble.
ABSENT = {1: "uninitialized", 4: "no permission", 9: "driver not loaded", 12: "library not found"}
INVALID_ARGUMENT, NOT_SUPPORTED, FUNCTION_NOT_FOUND, UNKNOWN = 2, 3, 13, 999
GONE = {6: "not found", 15: "GPU is lost", 28: "GPU not found"}  # what only a GPU that is not there any more answers
NOT_CUT = {NOT_SUPPORTED, FUNCTION_NOT_FOUND}  # of the MIG mode: a GPU, or a library, that knows no slices
EMPTY_SLOT = {*GONE, *NOT_CUT, INVALID_ARGUMENT}


class DriverFailed(Exception):
    """There is a driver, and it does not say which GPUs it has."""


@dataclass(frozen=True)
class Device:
    """A device that can be rented: a GPU, or a slice (MIG device) of a GPU that is cut; then `board` is that GPU."""

    index: int  # of the GPU, as nvidia-smi counts
    handle: Any
    board: Any
    slot: int | None = None

    @property
    def is_slice(self) -> bool:
        """Whether it is a part of a GPU."""
        return self.slot is not None


@dataclass(frozen=True)
class Unread:
    """A GPU of which the driver does not say which devices it is; `cut` where it says at least that it is cut."""

    index: int
    cut: bool = False


@dataclass(frozen=True)
class Memory:
    """The memory of a device, in MiB; `unified`: it is the machine's."""

    total_mb: int
    used_mb: int | None
    unified: bool = False


@contextmanager
def driver() -> Iterator[Any]:
    """Yield the library, ready for use, or None where there is no driver. Raises DriverFailed."""
    library = _initialized()
    try:
        yield library
    finally:
        if library:
            query(library, "nvmlShutdown")


def devices(library: Any) -> list[Device]:
    """Return each device that can be read. Raises DriverFailed."""
    return [device for device in places(library) if isinstance(device, Device)]


def places(library: Any) -> Iterator[Device | Unread]:
    """Yield each device: of a cut GPU its slices and never itself, of one that cannot be read an Unread.

    A GPU that fell off the bus hides no other. Raises DriverFailed.
    """
    count = number(query(library, "nvmlDeviceGetCount"), 0, 4096)
    if count is None:
        raise DriverFailed("the driver does not say how many GPUs there are")
    for index in range(min(int(count), MOST_GPUS)):
        handle, error = attempt(library, "nvmlDeviceGetHandleByIndex", index)
        if handle is not None:
            yield from _devices_of(library, index, handle)
        elif error not in GONE:
            yield Unread(index)


def query(library: Any, function: str, *arguments: Any) -> Any:
    """Call a function of NVML by name; None for whatever goes wrong: an older library, another GPU, a driver's fault.

    Without pynvml's decorator, which decodes strictly: a text comes as bytes.
    """
    return attempt(library, function, *arguments)[0]


def attempt(library: Any, function: str, *arguments: Any) -> tuple[Any, int]:
    """Call a function as query does; return its answer and NVML's error: 0 for none, UNKNOWN for one not of NVML's."""
    try:
        decorated = getattr(library, function)
        return getattr(decorated, "__wrapped__", decorated)(*arguments), 0
    except Exception as error:  # noqa: BLE001 the binding raises errors of its own, of ctypes and of decoding
        log.debug("%s: %s", function, error)
        code = getattr(error, "value", None)
        return None, code if isinstance(code, int) else UNKNOWN


def member(struct: Any, name: str) -> Any:
    """Return a member of a struct of pynvml, which decodes texts strictly when they are read; else None."""
    try:
        return getattr(struct, name)
    except Exception:  # noqa: BLE001 as in query
        return None


def text(library: Any, function: str, *arguments: Any) -> str | None:
    """Return a text of NVML, with what is not UTF-8 replaced; None where it is not known."""
    return clean(query(library, function, *arguments))


def clean(value: Any) -> str | None:
    """Return a text of a driver as valid, printable, short text; None where nothing is left."""
    if isinstance(value, bytes):
        value = decoded(value)
    if not isinstance(value, str):
        return None
    return "".join(letter for letter in valid_text(value) if letter.isprintable()).strip()[:TEXT_LIMIT] or None


def number(value: Any, low: float, high: float) -> int | float | None:
    """Return a number within these bounds, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if low <= value <= high else None  # NaN is not


def memory_of(library: Any, device: Device) -> Memory | None:
    """Return a device's memory; None when it is not known.

    A GPU that shares the machine's memory (GB10, Jetson) has none of its own: NVML answers "not supported" or zero.
    """
    try:
        info = library.nvmlDeviceGetMemoryInfo(device.handle)
        total, used = number(info.total, 0, MAX_MEMORY_MB * MIB), number(info.used, 0, MAX_MEMORY_MB * MIB)
    except Exception as error:  # noqa: BLE001 as in query
        total, used = (0 if getattr(error, "value", None) == NOT_SUPPORTED else None), None
    if total is None or (not total and device.is_slice):
        return None
    if not total:
        return Memory(memory.total_mb(), memory.used_mb(), unified=True)
    return Memory(int(total) // MIB, None if used is None else int(min(used, total)) // MIB)


def _initialized() -> Any:
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except Exception as error:
        if isinstance(error, OSError) or getattr(error, "value", None) in ABSENT:
            log.debug("NVML is not usable: %s", error)
            return None
        raise DriverFailed(f"the driver does not start: {type(error).__name__}: {error}"[:300]) from error
    return pynvml


def _devices_of(library: Any, index: int, board: Any) -> list[Device | Unread]:
    """Return what a GPU is: itself, its slices where it is cut (MIG mode), nothing where it is lost, or an Unread.

    Where the mode cannot be read, a slice that answers shows it.
    """
    mode, error = attempt(library, "nvmlDeviceGetMigMode", board)
    cut = number(mode[0], 0, 1) if isinstance(mode, list | tuple) and mode else None
    if error in GONE:
        return []
    if cut == 0:
        return [Device(index, board, board)]
    slices = list(_slices(library, index, board))
    if cut == 1 or any(isinstance(place, Device) for place in slices):
        return slices
    return [Device(index, board, board) if error in NOT_CUT else Unread(index)]


def _slices(library: Any, index: int, board: Any) -> Iterator[Device | Unread]:
    """Yield the slices of a GPU; slots without one answer with an error that says so, any other is an Unread."""
    most = number(query(library, "nvmlDeviceGetMaxMigDeviceCount", board), 0, MOST_SLICES)
    for slot in range(int(MOST_SLICES if most is None else most)):
        handle, error = attempt(library, "nvmlDeviceGetMigDeviceHandleByIndex", board, slot)
        if handle is not None:
            yield Device(index, handle, board, slot)
        elif error not in EMPTY_SLOT:
            yield Unread(index, cut=True)
