"""How fast a card decodes and prefills a language model, and what fits on it: a roofline. Pure: no Django.

A kernel can run no faster than its bytes over the memory bandwidth, nor than its operations over the peak rate
(Williams, Waterman, Patterson: Roofline, CACM 52(4), 2009). Real kernels reach a share of either bound, the
efficiencies below; each is learned per card by shrinkage from defaults. Decoding is counted as in Pope et al.,
*Efficiently Scaling Transformer Inference* (2022): each step reads the weights and the key-value cache, and does 2
operations per parameter and token. Units: bytes, seconds, FLOP.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from apps.gpu.logic.llm import Model, Quant

GB = 1e9
RUNTIME_BYTES = 0.6 * GB  # CUDA context, kernels, allocator
USABLE_SHARE = 0.92
UNIFIED_SHARE = 0.75  # Apple's default limit for the GPU
DISPLAY_BYTES = 1.0 * GB
PRIOR_WEIGHT = 5  # a default counts like five measurements
LAUNCH_SECONDS = 0.3e-3  # of a 32-layer model's step: kernel launches, sampling


@dataclass(frozen=True)
class Device:
    """A GPU in bytes, bytes/s and FLOP/s, from the catalogue or a benchmark; `link` leads to the host (mostly PCIe)"""

    memory: float
    usable: float
    bandwidth: float
    compute: float  # dense fp16, FLOP/s
    link: float = 25 * GB  # PCIe 4.0 ×16, as reached
    peer: float = 25 * GB  # between cards


@dataclass(frozen=True)
class Efficiency:
    """Shares of the bounds that kernels reach; `low` and `high` are p10 and p90 over p50, after `n` measurements."""

    decode: float = 0.80
    compute: float = 0.60
    prefill: float = 0.50
    low: float = 0.85
    high: float = 1.10
    n: int = 0


@dataclass(frozen=True)
class Load:
    """A way to run a model: format of weights and cache, context per user, users at once, cards."""

    model: Model
    quant: Quant
    ctx: int = 4096
    batch: int = 1
    kv_bytes: float = 2.0
    gpus: int = 1
    parallelism: str = "tp"  # tp: every layer over all cards; pp: layers one card after another


@dataclass(frozen=True)
class Step:
    """Where the time of one decoding step goes."""

    seconds: float
    memory: float
    compute: float
    link: float
    overhead: float

    @property
    def bottleneck(self) -> str:
        """What limits the step: pcie, compute or memory_bw."""
        if self.link > max(self.memory, self.compute):
            return "pcie"
        return "compute" if self.compute > self.memory else "memory_bw"


DEFAULT = Efficiency()
IDEAL = Efficiency(1.0, 1.0, 1.0)


def usable_bytes(memory: float, *, vendor: str = "", display: bool = False) -> float:
    """Return the bytes of a card's memory that a model may take."""
    if vendor.lower() == "apple":
        return UNIFIED_SHARE * memory
    return max(USABLE_SHARE * memory - (DISPLAY_BYTES if display else 0), 0)


def weights(model: Model, quant: Quant) -> float:
    """Return the bytes of the weights: P · bits / 8."""
    return model.params * quant.bits / 8


def reserve(model_bytes: float) -> float:
    """Return the bytes beside weights and cache: activations max(0.4 GB, 5 % of the weights), and the runtime."""
    return max(0.4 * GB, 0.05 * model_bytes) + RUNTIME_BYTES


def need(load: Load) -> float:
    """Return the bytes that each GPU must have usable: (W + KV · ctx · batch) / n + reserve."""
    held = weights(load.model, load.quant)
    cache = load.model.kv_bytes(load.kv_bytes) * load.ctx * load.batch
    return (held + cache) / load.gpus + reserve(held / load.gpus)


def fits(device: Device, load: Load) -> bool:
    """Return whether a load fits into the usable memory of each GPU."""
    return need(load) <= device.usable


def decode_step(device: Device, load: Load, eff: Efficiency = DEFAULT, *, speed: float = 1.0) -> Step:
    """Return the seconds of one decoding step of the whole batch, and their parts.

    t = max((W_touched + B·KV·s) / (η_b·BW), 2·P_active·B / (η_c·FP16)) + W_offloaded / link + all-reduce + t0. `speed`
    is the share of full speed that a power limit leaves. t0 = 0.3 ms · L/32.
    """
    model, n = load.model, load.gpus
    over = min(max(need(load) - device.usable, 0), weights(model, load.quant) / n)
    touched = model.touched_params(load.batch) * load.quant.bits / 8
    split = n if load.parallelism == "tp" else 1
    bytes_read = _bytes_read(load) / split
    away = over * touched / weights(model, load.quant)  # of the offloaded weights, those this step reads
    memory = max(bytes_read - away, 0) / (eff.decode * device.bandwidth * speed)
    compute = 2 * model.active_params * load.batch / split / (eff.compute * device.compute * speed)
    link = away / device.link + _between_gpus(device, load)
    overhead = LAUNCH_SECONDS * model.layers / 32
    return Step(max(memory, compute) + link + overhead, memory, compute, link, overhead)


def _bytes_read(load: Load) -> float:
    """Bytes that a decoding step reads: weights its tokens touch, and every user's cache."""
    cache = load.batch * load.model.kv_bytes(load.kv_bytes) * load.ctx
    return load.model.touched_params(load.batch) * load.quant.bits / 8 + cache


def _between_gpus(device: Device, load: Load) -> float:
    """Tensor parallel: two ring all-reduces a layer, 2(n−1)/n · B·d·2 bytes each. Pipeline: n−1 hand-overs."""
    n, message = load.gpus, load.batch * load.model.d_model * 2
    if n == 1:
        return 0.0
    if load.parallelism == "pp":
        return (n - 1) * message / device.peer
    return 2 * load.model.layers * 2 * (n - 1) / n * message / device.peer


def prefill_seconds(device: Device, load: Load, eff: Efficiency = DEFAULT, *, speed: float = 1.0) -> float:
    """Return the seconds to read a prompt of S = `ctx` tokens: (2·P_active·S + 2·L·d·S²) / (η_p·FP16).

    Never less than reading the weights once takes.
    """
    model, prompt = load.model, load.ctx
    work = 2 * model.active_params * prompt + 2 * model.layers * model.d_model * prompt**2
    split = load.gpus if load.parallelism == "tp" else 1
    compute = work / split / (eff.prefill * device.compute * speed)
    read = weights(model, load.quant) / split / (eff.decode * device.bandwidth * speed)
    return max(compute, read) + LAUNCH_SECONDS * model.layers / 32


def train_seconds(device: Device, load: Load, eff: Efficiency = DEFAULT, *, speed: float = 1.0) -> float:
    """Return the seconds of a training step of batch × ctx tokens: 6 operations per active parameter and token.

    Kaplan et al., *Scaling Laws for Neural Language Models*, 2020.
    """
    work = 6 * load.model.active_params * load.batch * load.ctx
    return work / load.gpus / (eff.prefill * device.compute * speed)


def train_need(load: Load) -> float:
    """Return the bytes per GPU to train everything with Adam in mixed precision: 16 a parameter, and activations.

    Rajbhandari et al., ZeRO, 2020; one checkpointed activation per layer, token and channel.
    """
    model = load.model
    activations = 2 * load.batch * load.ctx * model.d_model * model.layers
    return (16 * model.params + activations) / load.gpus + RUNTIME_BYTES


def bound(device: Device, load: Load) -> float:
    """Return the tokens per second that no software can exceed here: efficiency 1, no overhead."""
    split = load.gpus if load.parallelism == "tp" else 1
    compute = 2 * load.model.active_params * load.batch / device.compute
    return load.batch * split / max(_bytes_read(load) / device.bandwidth, compute)


def intensity(load: Load) -> float:
    """Return the operations per byte of a decoding step."""
    return 2 * load.model.active_params * load.batch / _bytes_read(load)


def ridge(device: Device) -> float:
    """Return the operations per byte above which this GPU is limited by its arithmetic."""
    return device.compute / device.bandwidth


def knee_batch(device: Device, quant: Quant, eff: Efficiency = DEFAULT) -> float:
    """Return the batch at which decoding turns compute-bound when the cache is small: η_c·FP16·bytes / (2·η_b·BW)."""
    return eff.compute * device.compute * quant.bits / 8 / (2 * eff.decode * device.bandwidth)


def largest_batch(device: Device, load: Load) -> int:
    """Return how many users' caches fit beside the weights; 0 when not even one does."""
    free = device.usable - need(replace(load, batch=0))
    each = load.model.kv_bytes(load.kv_bytes) * load.ctx / load.gpus
    return max(math.floor(free / each), 0) if free >= each else 0


def largest_ctx(device: Device, load: Load) -> int:
    """Return the longest context per user, in tokens, that fits, at most the model's own; 0 when none does."""
    free = device.usable - need(replace(load, batch=0))
    each = load.model.kv_bytes(load.kv_bytes) * load.batch / load.gpus
    return max(min(math.floor(free / each), load.model.max_ctx), 0) if free > 0 else 0


def largest_params(device: Device, quant: Quant, *, cache: float = 0.0) -> float:
    """Return how many parameters fit in this format beside `cache` bytes: W + reserve(W) + cache ≤ usable, solved for
    P."""
    free = device.usable - RUNTIME_BYTES - cache
    small, large = free - 0.4 * GB, free / 1.05
    held = small if small <= 8 * GB else large  # 5 % of 8 GB are the 0.4 GB
    return max(held, 0) * 8 / quant.bits


def shrunk(default: float, measured_over_ideal: list[float]) -> float:
    """Return η ← (Σ measured/ideal + 5·η0) / (n + 5), never above 1: shrinkage towards the default η0."""
    return min((sum(measured_over_ideal) + PRIOR_WEIGHT * default) / (len(measured_over_ideal) + PRIOR_WEIGHT), 1.0)
