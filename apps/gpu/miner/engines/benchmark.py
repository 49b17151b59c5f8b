"""Matrix multiplication, timed: on the GPU through torch or cupy where there is one, else numpy."""

import hashlib
import time
from collections.abc import Callable
from typing import Any

import numpy
from numpy.typing import NDArray

from apps.gpu.miner.engines import BadInput, Progress, has_module
from apps.gpu.miner.engines.payload import choice, first, integer

# Bounds in multiply-adds: about a minute on two old cores, about a minute on one big GPU.
CPU_WORK, GPU_WORK = 10**12, 10**15
CPU_SIZE, GPU_SIZE = 8192, 16384

Matrix = NDArray[Any]
Product = Callable[[], Matrix]  # the row sums of a product, as whole numbers in float64


class Benchmark:
    """Measures GFLOP/s with a product that can be checked without repeating it.

    The matrices hold small whole numbers, so the product is exact on every device; `checksum` is the
    SHA-256 of its row sums (int64, little-endian), which A·(B·1) gives in a fraction of the time.
    """

    name = "benchmark"
    aliases = ("matmul",)

    def available(self) -> bool:
        """Return True: numpy is all it needs."""
        return True

    def models(self) -> list[str]:
        """Return no model: there is none in it."""
        return []

    def run(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Multiply `rounds` times two `size`×`size` matrices made from `seed`; return rate, time and checksum."""
        device = _device()
        size, rounds = _checked_work(payload, device)
        dtype = choice(payload, "dtype", "float32", ("float32", "float64"))
        left, right = matrices(size, integer(payload, "seed", 0, 0, 2**32 - 1))
        multiply = device.prepare(left.astype(dtype), right.astype(dtype))
        done, seconds = _resumed(progress.state, rounds)
        while True:
            started = time.perf_counter()
            sums = multiply()
            seconds, done = seconds + time.perf_counter() - started, done + 1
            progress(done / rounds, f"round {done} of {rounds}", {"done": done, "seconds": seconds})
            if done >= rounds:
                break
        return {
            "gflops": round(2 * size**3 * rounds / seconds / 1e9, 3),
            "seconds": round(seconds, 6),
            "size": size,
            "rounds": rounds,
            "dtype": dtype,
            "device": device.name,
            "backend": device.backend,
            "gpu_used": device.gpu,
            "checksum": hashlib.sha256(sums.astype("<i8").tobytes()).hexdigest(),
        }


def matrices(size: int, seed: int) -> tuple[Matrix, Matrix]:
    """Return the two factors: whole numbers from -2 to 2, the same everywhere for the same seed."""
    random = numpy.random.Generator(numpy.random.PCG64(seed))
    return random.integers(-2, 3, (size, size), "int8"), random.integers(-2, 3, (size, size), "int8")


def _checked_work(payload: dict[str, Any], device: "_Device") -> tuple[int, int]:
    size_name = next((name for name in ("size", "n", "matrix_size") if name in payload), "size")
    rounds_name = "rounds" if first(payload, "rounds") is not None else "iterations"
    size = integer(payload, size_name, 512, 1, GPU_SIZE if device.gpu else CPU_SIZE)
    rounds = integer(payload, rounds_name, 3, 1, 1000)
    limit = GPU_WORK if device.gpu else CPU_WORK
    if size**3 * rounds > limit:
        raise BadInput(f"size³ × rounds must not exceed {limit:.0e} on {device.name}")
    return size, rounds


def _resumed(state: Any, rounds: int) -> tuple[int, float]:
    """Return rounds done and seconds spent before the last checkpoint; the last round is always computed here."""
    if not isinstance(state, dict):
        return 0, 0.0
    done = min(int(state.get("done", 0)), rounds - 1)
    return done, float(state.get("seconds", 0.0)) * done / max(int(state.get("done", 0)), 1)


class _Numpy:
    name, backend, gpu = "cpu", "numpy", False

    def prepare(self, left: Matrix, right: Matrix) -> Product:
        return lambda: (left @ right).sum(axis=1, dtype="float64")


class _Torch:
    backend, gpu = "torch", True

    def __init__(self, torch: Any):
        self.torch, self.name = torch, torch.cuda.get_device_name()

    def prepare(self, left: Matrix, right: Matrix) -> Product:
        a, b = self.torch.from_numpy(left).cuda(), self.torch.from_numpy(right).cuda()
        (a @ b).sum().item()  # the first product also builds the library's plans
        return lambda: (a @ b).sum(dim=1, dtype=self.torch.float64).cpu().numpy()


class _Cupy:
    backend, gpu = "cupy", True

    def __init__(self, cupy: Any):
        self.cupy, self.name = cupy, cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()

    def prepare(self, left: Matrix, right: Matrix) -> Product:
        a, b = self.cupy.asarray(left), self.cupy.asarray(right)
        (a @ b).sum().get()
        return lambda: (a @ b).sum(axis=1, dtype="float64").get()


_Device = _Numpy | _Torch | _Cupy


def _device() -> _Device:
    if has_module("torch"):
        import torch

        if torch.cuda.is_available():
            return _Torch(torch)
    if has_module("cupy"):
        import cupy

        try:
            return _Cupy(cupy)
        except cupy.cuda.runtime.CUDARuntimeError:
            pass  # cupy without a usable driver: the processor does it
    return _Numpy()
