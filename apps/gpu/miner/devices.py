"""The devices of a benchmark: a GPU through torch or cupy where there is one, else the processor through numpy."""

import os
import time
from collections.abc import Callable
from typing import Any

import numpy

from apps.gpu.logic.challenge import Numpy
from apps.gpu.miner.engines import has_module

# Four words a thread: an H200 moves 2.5 TB/s by single words (cupy's own elementwise kernels), 4.3 by four.
TRIAD = """extern "C" __global__ void triad(const float4* b, const float4* c, float4* a) {
  const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  const float4 x = b[i], y = c[i];
  a[i] = make_float4(x.x + 3.0f * y.x, x.y + 3.0f * y.y, x.z + 3.0f * y.z, x.w + 3.0f * y.w);
}"""


class Cpu(Numpy):
    """The processor through numpy. Its measurements are flagged `device: cpu`."""

    kind, backend, gpu = "cpu", "numpy", False
    triad_words, matrix = 4 * 2**20, 1024

    def __init__(self) -> None:
        self.name = "cpu"
        self.details: dict[str, Any] = {"threads": int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))}

    def empty(self, *shape: int) -> Any:
        """Return int32 words of this shape, not initialised."""
        return numpy.empty(shape, "int32")

    def real(self, array: Any) -> Any:
        """Return the same numbers as float32."""
        return array.astype("float32")

    def whole(self, array: Any) -> Any:
        """Return the same numbers as int32."""
        return array.astype("int32")

    def host(self, array: Any) -> Any:
        """Return a numpy array of the same content."""
        return array

    def wait(self) -> None:
        """Return at once: numpy has no queue."""

    def free(self) -> None:
        """Do nothing: numpy returns its memory itself."""

    def triad(self) -> tuple[Callable[[], Any], float]:
        """Return STREAM's triad a = b + s·c in float32 (McCalpin, 1995), and the bytes that one run moves."""
        b, c, a = (numpy.ones(self.triad_words, "float32") for _ in range(3))

        def run() -> None:
            numpy.multiply(c, 3.0, out=a)
            numpy.add(a, b, out=a)

        return run, 5 * 4.0 * self.triad_words  # numpy needs two passes: five streams instead of three

    def product(self, dtype: str) -> tuple[Callable[[], Any], float] | None:
        """Return a matrix product and its number of operations; None where the device lacks the arithmetic."""
        if dtype != "float32":
            return None
        n = self.matrix
        left, right, out = (numpy.ones((n, n), "float32") for _ in range(3))
        return lambda: numpy.matmul(left, right, out=out), 2.0 * n**3

    def copies(self) -> dict[str, tuple[Callable[[], Any], float]]:
        """Return nothing: the processor's memory is the host's."""
        return {}


class Torch:
    """A GPU through torch: CUDA, or ROCm where torch was built for it."""

    backend, gpu = "torch", True
    triad_words, matrix, copy_words = 64 * 2**20, 8192, 64 * 2**20

    def __init__(self, torch: Any):
        self.torch = torch
        self.kind = "rocm" if torch.version.hip else "cuda"
        self.name = torch.cuda.get_device_name()
        torch.backends.cuda.matmul.allow_tf32 = False
        self.details = {"torch": torch.__version__, "fp16_accumulate": _fast_fp16(torch)}

    def counter(self, start: int, count: int) -> Any:
        """Return start, start + 1, … as int32 (wrapping)."""
        wide = self.torch.arange(count, device="cuda", dtype=self.torch.int64) + (start & 0xFFFFFFFF)
        return wide.to(self.torch.int32)

    def octets(self, words: Any) -> Any:
        """Return the bytes of each word, lowest first, as int16."""
        return words.view(self.torch.uint8).to(self.torch.int16)

    def roll(self, array: Any, shift: tuple[int, ...], axis: tuple[int, ...]) -> Any:
        """Roll as numpy.roll does."""
        return self.torch.roll(array, shift, axis)

    def empty(self, *shape: int) -> Any:
        """Return int32 words of this shape, not initialised."""
        return self.torch.empty(shape, dtype=self.torch.int32, device="cuda")

    def real(self, array: Any) -> Any:
        """Return the same numbers as float32."""
        return array.to(self.torch.float32)

    def whole(self, array: Any) -> Any:
        """Return the same numbers as int32."""
        return array.to(self.torch.int32)

    def host(self, array: Any) -> Any:
        """Return a numpy array of the same content."""
        return array.cpu().numpy()

    def wait(self) -> None:
        """Wait until the device's queue is empty."""
        self.torch.cuda.synchronize()

    def free(self) -> None:
        """Return unused memory to the driver."""
        self.torch.cuda.empty_cache()

    def triad(self) -> tuple[Callable[[], Any], float]:
        """Return STREAM's triad a = b + s·c in float32 (McCalpin, 1995), and the bytes that one run moves."""
        torch = self.torch
        b, c, a = (torch.ones(self.triad_words, device="cuda") for _ in range(3))
        return lambda: torch.add(b, c, alpha=3.0, out=a), 3 * 4.0 * self.triad_words

    def product(self, dtype: str) -> tuple[Callable[[], Any], float] | None:
        """Return a matrix product and its number of operations. Random numbers: on zeros a GPU runs faster."""
        torch, n = self.torch, self.matrix
        left, right = (torch.randn(n, n, device="cuda").to(getattr(torch, dtype)) for _ in range(2))
        out = torch.empty_like(left)
        return lambda: torch.matmul(left, right, out=out), 2.0 * n**3

    def copies(self) -> dict[str, tuple[Callable[[], Any], float]]:
        """Return the copies from and to the host's pinned memory, and the bytes that each moves."""
        torch = self.torch
        host = torch.empty(self.copy_words, dtype=torch.int32, pin_memory=True)
        target = torch.empty(self.copy_words, dtype=torch.int32, device="cuda")
        size = 4.0 * self.copy_words
        return {"h2d_gbps": (lambda: target.copy_(host), size), "d2h_gbps": (lambda: host.copy_(target), size)}


class Cupy:
    """A GPU through cupy."""

    kind, backend, gpu = "cuda", "cupy", True
    triad_words, matrix, copy_words = 64 * 2**20, 8192, 64 * 2**20

    def __init__(self, cupy: Any):
        self.cupy = cupy
        self.name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode("utf-8", "replace")
        self.details = {"cupy": cupy.__version__, "fp16_accumulate": "fp32"}

    def counter(self, start: int, count: int) -> Any:
        """Return start, start + 1, … as int32 (wrapping)."""
        wide = self.cupy.arange(count, dtype="int64") + (start & 0xFFFFFFFF)
        return wide.astype("uint32").view("int32")

    def octets(self, words: Any) -> Any:
        """Return the bytes of each word, lowest first, as int16."""
        return words.view("uint8").astype("int16")

    def roll(self, array: Any, shift: tuple[int, ...], axis: tuple[int, ...]) -> Any:
        """Roll as numpy.roll does."""
        return self.cupy.roll(array, shift, axis)

    def empty(self, *shape: int) -> Any:
        """Return int32 words of this shape, not initialised."""
        return self.cupy.empty(shape, "int32")

    def real(self, array: Any) -> Any:
        """Return the same numbers as float32."""
        return array.astype("float32")

    def whole(self, array: Any) -> Any:
        """Return the same numbers as int32."""
        return array.astype("int32")

    def host(self, array: Any) -> Any:
        """Return a numpy array of the same content."""
        return self.cupy.asnumpy(array)

    def wait(self) -> None:
        """Wait until the device's queue is empty."""
        self.cupy.cuda.Device().synchronize()

    def free(self) -> None:
        """Return unused memory to the driver."""
        self.cupy.get_default_memory_pool().free_all_blocks()

    def triad(self) -> tuple[Callable[[], Any], float]:
        """Return STREAM's triad a = b + s·c in float32, fused into one kernel, and the bytes that one run moves."""
        b, c, a = (self.cupy.ones(self.triad_words, "float32") for _ in range(3))
        kernel, quads = self.cupy.RawKernel(TRIAD, "triad"), self.triad_words // 4
        return lambda: kernel((quads // 256,), (256,), (b, c, a)), 3 * 4.0 * self.triad_words

    def product(self, dtype: str) -> tuple[Callable[[], Any], float] | None:
        """Return a matrix product and its number of operations."""
        n = self.matrix
        left, right = (self.cupy.random.standard_normal((n, n), dtype="float32").astype(dtype) for _ in range(2))
        out = self.cupy.empty((n, n), dtype)
        return lambda: self.cupy.matmul(left, right, out=out), 2.0 * n**3

    def copies(self) -> dict[str, tuple[Callable[[], Any], float]]:
        """Return the copies from and to the host's pinned memory, and the bytes that each moves."""
        size = 4 * self.copy_words
        pinned = self.cupy.cuda.alloc_pinned_memory(size)
        host = numpy.frombuffer(pinned, "int32", self.copy_words)
        target = self.cupy.empty(self.copy_words, "int32")
        return {
            "h2d_gbps": (lambda: target.set(host), float(size)),
            "d2h_gbps": (lambda: target.get(out=host), float(size)),
        }


Device = Cpu | Torch | Cupy


def pick(*, uuid: str = "", kind: str = "") -> Device:
    """Return the device to measure: `kind` is gpu, cpu, or empty for a GPU if there is one.

    `uuid` restricts this process to one GPU or slice; that has an effect only before a library starts its driver.
    Raises RuntimeError when a GPU is requested and none can be reached.
    """
    if uuid.startswith(("GPU-", "MIG-")):
        os.environ["CUDA_VISIBLE_DEVICES"] = uuid
    if kind == "cpu":
        return Cpu()
    if kind in ("", "gpu") and (found := _torch() or _cupy()):
        return found
    if kind == "gpu":
        raise RuntimeError("neither torch nor cupy can reach a GPU here; install one of them beside the driver")
    return Cpu()


def seconds_of(device: Device, run: Callable[[], Any]) -> float:
    """Return how long one run takes, the device's queue emptied before and after."""
    device.wait()
    started = time.perf_counter()
    run()
    device.wait()
    return time.perf_counter() - started


def _torch() -> Torch | None:
    if not has_module("torch"):
        return None
    import torch

    return Torch(torch) if torch.cuda.is_available() else None


def _cupy() -> Cupy | None:
    if not has_module("cupy"):
        return None
    import cupy

    try:
        return Cupy(cupy)
    except cupy.cuda.runtime.CUDARuntimeError:
        return None  # cupy without a usable driver


def _fast_fp16(torch: Any) -> str:
    """GeForce cards reach their published fp16 rate only with fp16 accumulation; newer torch has a switch for it."""
    try:
        torch.backends.cuda.matmul.allow_fp16_accumulation = True
        return "fp16"
    except (AttributeError, RuntimeError):
        return "fp32"
