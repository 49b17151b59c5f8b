"""A fake of NVIDIA's C library at the boundary of ctypes: pynvml itself is the real one."""

import ctypes
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pynvml

GIB = 2**30
NOT_SUPPORTED, NOT_FOUND, GPU_IS_LOST, UNKNOWN = 3, 6, 15, 999


@dataclass
class FakeSlice:
    """A MIG device."""

    uuid: str
    memory: int
    name: bytes = b""


@dataclass
class FakeGpu:
    """A GPU; `memory` None: the library does not support the query, as on GB10. `slices` None: MIG is off."""

    name: bytes = b"NVIDIA GeForce RTX 4090"
    uuid: str = "GPU-1"
    memory: int | None = 24 * GIB
    slices: list[FakeSlice] | None = None
    mig: bool = False  # whether it can be cut


@dataclass(frozen=True)
class Fault:
    """What goes wrong in a function: kind is error (value: code), missing, raises, garbage (bytes), absurd (number).

    `only`: the UUID of the device that it goes wrong for.
    """

    kind: str
    value: Any = None
    only: str = ""


@dataclass
class FakeLibrary:
    """Answers as libnvidia-ml.so.1 does; `faults` by the name of the C function; `called` has every name.

    `switch`: a file with faults that may change while a program runs (see break_down).
    """

    gpus: list[FakeGpu]
    faults: dict[str, Fault] = field(default_factory=dict)
    switch: Path | None = None
    called: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._devices: dict[int, Any] = {}
        self._kept: dict[int, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("nvml"):
            raise AttributeError(name)
        self.called.add(name)
        if self.faults.get(name, Fault("none")).kind == "missing":
            raise AttributeError(name)
        return lambda *arguments: self._call(name, arguments)

    def _call(self, name: str, arguments: tuple) -> int:
        targets = [getattr(argument, "_obj", argument) for argument in arguments]
        fault = self._fault(name, targets)
        if fault.kind == "error":
            return fault.value
        if fault.kind == "raises":
            raise fault.value
        if fault.kind == "hangs":
            threading.Event().wait()
        answer = ANSWERS.get(name.removesuffix("_v2").removesuffix("_v3"))
        code = NOT_SUPPORTED if answer is None else answer(self, *targets)
        if fault.kind in ("garbage", "absurd"):
            for target in targets:
                _spoil(target, fault)
            return 0
        return code or 0

    def _fault(self, name: str, targets: list) -> Fault:
        switched = json.loads(self.switch.read_bytes()) if self.switch and self.switch.exists() else {}
        fault = Fault(**switched[name]) if name in switched else self.faults.get(name, Fault("none"))
        by_index = name.startswith("nvmlDeviceGetHandleByIndex")
        if fault.only and fault.only != (self.gpus[targets[0].value] if by_index else self.device(targets[0])).uuid:
            return Fault("none")
        return fault

    def point(self, pointer: Any, device: Any) -> None:
        """Make a handle stand for a device."""
        key = id(device)
        struct = self._kept.setdefault(key, ctypes.create_string_buffer(8))
        address = ctypes.addressof(struct)
        self._devices[address] = device
        pointer.contents = type(pointer.contents if pointer else pointer._type_()).from_address(address)

    def device(self, handle: Any) -> Any:
        """Return the device of a handle."""
        return self._devices[ctypes.addressof(handle.contents)]


def install(*gpus: FakeGpu, **faults: Fault) -> FakeLibrary:
    """Have pynvml of this process use the fake."""
    pynvml.nvmlLib = FakeLibrary(list(gpus), faults)
    pynvml._nvmlGetFunctionPointer_cache.clear()
    return pynvml.nvmlLib


def break_down(switch: Path, **faults: Fault) -> None:
    """Have the libraries with this switch fail so from now on, in whichever process."""
    temporary = switch.with_suffix(".new")
    temporary.write_text(json.dumps({name: vars(fault) for name, fault in faults.items()}))
    temporary.replace(switch)


def remove() -> None:
    """Have it use no library."""
    pynvml.nvmlLib = None
    pynvml._nvmlGetFunctionPointer_cache.clear()


def _spoil(target: Any, fault: Fault) -> None:
    if isinstance(target, ctypes.Array) and fault.kind == "garbage":
        target.value = fault.value
    elif isinstance(target, ctypes.Structure):
        for name, kind in target._fields_:
            if fault.kind == "absurd" and issubclass(kind, ctypes._SimpleCData):
                setattr(target, name, kind(fault.value).value)
            elif fault.kind == "garbage" and issubclass(kind, ctypes.Array):
                setattr(target, name, fault.value)
    elif isinstance(target, ctypes._SimpleCData) and fault.kind == "absurd":
        target.value = fault.value


def _write(**kinds: Any) -> Any:
    """Return a function that writes these values into its last arguments."""

    def answer(library: FakeLibrary, *targets: Any) -> int:
        for target, value in zip(targets[-len(kinds) :], kinds.values(), strict=True):
            target.value = value
        return 0

    return answer


def _text(value: Any) -> Any:
    def answer(library: FakeLibrary, *targets: Any) -> int:
        buffer = next(target for target in targets if isinstance(target, ctypes.Array))
        text = value(library.device(targets[0])) if callable(value) else value
        buffer.value = text.encode() if isinstance(text, str) else text
        return 0

    return answer


def _count(library: FakeLibrary, count: Any) -> int:
    count.value = len(library.gpus)
    return 0


def _handle(library: FakeLibrary, index: Any, handle: Any) -> int:
    library.point(handle, library.gpus[index.value])
    return 0


def _mig_mode(library: FakeLibrary, handle: Any, current: Any, pending: Any) -> int:
    gpu = library.device(handle)
    if isinstance(gpu, FakeSlice) or not (gpu.mig or gpu.slices is not None):
        return NOT_SUPPORTED
    current.value = pending.value = int(gpu.slices is not None)
    return 0


def _mig_count(library: FakeLibrary, handle: Any, count: Any) -> int:
    count.value = 7
    return 0


def _mig_handle(library: FakeLibrary, handle: Any, index: Any, found: Any) -> int:
    slices = library.device(handle).slices or []
    if index.value >= len(slices):
        return NOT_FOUND
    library.point(found, slices[index.value])
    return 0


def _memory(library: FakeLibrary, handle: Any, info: Any) -> int:
    total = library.device(handle).memory
    if total is None:
        return NOT_SUPPORTED
    info.total, info.used, info.free = total, total // 4, total - total // 4
    return 0


def _utilization(library: FakeLibrary, handle: Any, rates: Any) -> int:
    if isinstance(library.device(handle), FakeSlice):
        return NOT_SUPPORTED
    rates.gpu, rates.memory = 70, 30
    return 0


def _pci(library: FakeLibrary, handle: Any, info: Any) -> int:
    info.busId = b"00000000:01:00.0"
    return 0


ANSWERS: dict[str, Any] = {
    "nvmlInitWithFlags": lambda library, flags: 0,
    "nvmlShutdown": lambda library: 0,
    "nvmlDeviceGetCount": _count,
    "nvmlDeviceGetHandleByIndex": _handle,
    "nvmlDeviceGetMigMode": _mig_mode,
    "nvmlDeviceGetMaxMigDeviceCount": _mig_count,
    "nvmlDeviceGetMigDeviceHandleByIndex": _mig_handle,
    "nvmlDeviceGetName": _text(lambda device: device.name),
    "nvmlDeviceGetUUID": _text(lambda device: device.uuid),
    "nvmlSystemGetDriverVersion": _text("580.65"),
    "nvmlDeviceGetVbiosVersion": _text("95.02.3C.40.B5"),
    "nvmlSystemGetCudaDriverVersion": _write(version=12080),
    "nvmlDeviceGetMemoryInfo": _memory,
    "nvmlDeviceGetArchitecture": _write(architecture=8),
    "nvmlDeviceGetCudaComputeCapability": _write(major=8, minor=9),
    "nvmlDeviceGetPciInfo": _pci,
    "nvmlDeviceGetMaxPcieLinkGeneration": _write(generation=4),
    "nvmlDeviceGetMaxPcieLinkWidth": _write(lanes=16),
    "nvmlDeviceGetPowerManagementLimitConstraints": _write(low=150_000, high=600_000),
    "nvmlDeviceGetPowerManagementDefaultLimit": _write(default=450_000),
    "nvmlDeviceGetPowerManagementLimit": _write(limit=400_000),
    "nvmlDeviceSetPowerManagementLimit": lambda library, handle, limit: 0,
    "nvmlDeviceGetMaxClockInfo": _write(clock=3000),
    "nvmlDeviceGetClockInfo": _write(clock=2500),
    "nvmlDeviceGetDisplayActive": _write(active=0),
    "nvmlDeviceGetUtilizationRates": _utilization,
    "nvmlDeviceGetPowerUsage": _write(power=310_400),
    "nvmlDeviceGetTemperature": _write(temperature=61),
    "nvmlDeviceGetCurrentClocksThrottleReasons": _write(reasons=0x04),
}
