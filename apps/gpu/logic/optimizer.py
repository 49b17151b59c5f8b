"""How to run a model on a card: format, batch, context, power limit, for an objective. Pure: no Django.

The search is small and exhaustive: eight formats of weights, the batches that fit, and then the power limit. What it
predicts is the roofline's median; the spread around it is the card's own once it has been measured five times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from apps.gpu.logic import power, roofline
from apps.gpu.logic.llm import KV_BYTES, QUANTS, Model, Quant
from apps.gpu.logic.roofline import Device, Efficiency, Load

TASKS = ("decode", "prefill", "training", "mixed")
QUALITIES = ("none", "tiny", "small", "visible")
MOST_USERS = 512
MOST_GPUS = 16
READABLE_TPS = 5.0  # tokens per second of one user below which reading is slowed: the batch is not enlarged further


@dataclass(frozen=True)
class Subject:
    """A GPU with everything known of it."""

    name: str
    vendor: str
    kind: str  # gpu | cpu
    device: Device
    power: power.PowerLimits | None  # None: nothing is known of its power
    efficiency: Efficiency = roofline.DEFAULT
    sweep: tuple[tuple[float, float, float], ...] = ()  # (power share, bandwidth, fp16 rate) as measured
    index: int = 0
    limit_w: float | None = None  # the power limit it has now
    rent: float = 0.0  # AIT per hour
    confidence: str = "catalogue"  # catalogue | benchmark | sweep
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class OptimizeRequest:
    """What is to be run, and the objective."""

    model: Model
    objective: str = "balanced"
    task: str = "decode"
    ctx: int = 4096
    batch: int | None = None
    target_tps: float | None = None  # per user
    quant: Quant | None = None
    kv: str = "fp16"
    quality: str = "small"  # the worst class that may be chosen
    prompt_tokens: int = 512
    output_tokens: int = 256
    gpus: int = 1
    parallelism: str = "tp"
    power_price: float = 0.0  # AIT per kWh
    target_c: float = power.TARGET_C


@dataclass(frozen=True)
class Plan:
    """One way to run it that fits, with its speed at full power."""

    load: Load
    total: float  # tokens per second of all users
    each: float  # of one user
    ttft: float  # seconds until the first token
    prefill_share: float  # of the time, for the power curve
    bottleneck: str
    bound: float  # tokens per second that no software can exceed
    meets: bool = True


def plan(subject: Subject, request: OptimizeRequest) -> Plan | None:
    """Return the best way that fits, or None.

    One that misses the target is taken only when all do: then the fastest.
    """
    plans = [found for quant in _allowed(request) if (found := _with(subject, request, quant)) is not None]
    good = [one for one in plans if one.meets]
    if not good:
        return max(plans, key=lambda one: one.each, default=None)
    if request.objective == "max_throughput":
        return max(good, key=lambda one: one.total)
    return good[0]  # formats come best quality first


def alternatives(subject: Subject, request: OptimizeRequest) -> dict[str, Any]:
    """Return what would fit of a model that does not: a smaller format, a shorter context, more GPUs, host memory.

    The first three are None where they do not help; `tok_s` is tokens per second, `host_bytes` bytes, `largest_model_b`
    billions of parameters by format.
    """
    device, smallest = subject.device, replace(base(request, QUANTS[-1]), batch=request.batch or 1)
    formats = [quant.name for quant in QUANTS if roofline.fits(device, replace(smallest, quant=quant))]
    longest = roofline.largest_ctx(device, smallest)
    load = base(request, request.quant or _quant("q4_k_m"))
    count = next((n for n in range(request.gpus + 1, MOST_GPUS + 1) if _fits(device, replace(load, gpus=n))), None)
    step = roofline.decode_step(device, load, subject.efficiency)
    return {
        "smaller_quantisation": formats[0] if formats else None,
        "shorter_ctx": {"quantisation": smallest.quant.name, "ctx_max": longest} if longest else None,
        "gpus": {"count": count, "quantisation": load.quant.name} if count else None,
        "offload": {"quantisation": load.quant.name, "tok_s": round(load.batch / step.seconds, 2),
                    "host_bytes": round(max(roofline.need(load) - device.usable, 0))},
        "largest_model_b": {quant.name: round(roofline.largest_params(device, quant) / 1e9, 2) for quant in QUANTS},
    }  # fmt: skip


def table(subject: Subject, request: OptimizeRequest) -> list[dict[str, Any]]:
    """Return a row per format, best quality first: whether it fits, GB needed and left, tokens/s, milliseconds to the
    first token."""
    return [_line(subject, request, quant) for quant in QUANTS]


def spread(subject: Subject, found: Plan, speed: float = 1.0) -> dict[str, float]:
    """Return p10, p50 and p90 of tokens per second of all users at this share of full speed.

    The spread is the GPU's own (`efficiency.low`, `high`); p90 is never above what no software can exceed.
    """
    eff, median = subject.efficiency, found.total * speed
    values = {"p10": median * eff.low, "p50": median, "p90": min(median * eff.high, found.bound)}
    return {name: round(value, 3) for name, value in values.items()}


def curve(subject: Subject, prefill_share: float) -> power.Curve:
    """Return speed (share of full) by power (share of design power), for this share of time in prefill.

    It is the GPU's own curve when it was measured at enough limits, else the default one.
    """
    decode = power.own_curve([(ratio, bandwidth) for ratio, bandwidth, _ in subject.sweep])
    prefill = power.own_curve([(ratio, rate) for ratio, _, rate in subject.sweep])
    if decode is None or prefill is None:
        return power.default_curve(prefill_share)
    return power.mixed(decode, prefill, prefill_share)


def base(request: OptimizeRequest, quant: Quant) -> Load:
    """Return the load of a request in one weight format, with a batch of one where none is requested."""
    return Load(
        request.model, quant, ctx=request.ctx, batch=request.batch or 1, kv_bytes=KV_BYTES[request.kv],
        gpus=request.gpus, parallelism=request.parallelism,
    )  # fmt: skip


def _allowed(request: OptimizeRequest) -> list[Quant]:
    if request.quant is not None:
        return [request.quant]
    if request.task == "training":
        return [QUANTS[0]]
    worst = QUALITIES.index(request.quality)
    return [quant for quant in QUANTS if QUALITIES.index(quant.quality) <= worst]


def _quant(name: str) -> Quant:
    return next(quant for quant in QUANTS if quant.name == name)


def _fits(device: Device, load: Load) -> bool:
    return roofline.fits(device, load)


def _with(subject: Subject, request: OptimizeRequest, quant: Quant) -> Plan | None:
    """The best plan in one format, None when it does not fit."""
    load = base(request, quant)
    if request.task == "training":
        return _training(subject, load)
    if not _fits(subject.device, load):
        return None
    if request.task == "prefill":
        return _prefill(subject, load)
    load = replace(load, batch=_batch(subject, request, load))
    return _decode(subject, request, load)


def _batch(subject: Subject, request: OptimizeRequest, load: Load) -> int:
    """As requested; else the largest at which each user gets the target (throughput: a readable speed); else 1."""
    if request.batch is not None:
        return request.batch
    target = request.target_tps or (READABLE_TPS if request.objective == "max_throughput" else None)
    if target is None:
        return 1
    low, high = 1, min(roofline.largest_batch(subject.device, load), MOST_USERS)
    while low < high:  # the speed of one user falls with the batch: bisect
        middle = (low + high + 1) // 2
        step = roofline.decode_step(subject.device, replace(load, batch=middle), subject.efficiency)
        low, high = (middle, high) if 1 / step.seconds >= target else (low, middle - 1)
    return low


def _decode(subject: Subject, request: OptimizeRequest, load: Load) -> Plan:
    step = roofline.decode_step(subject.device, load, subject.efficiency)
    prompt = replace(load, ctx=min(request.prompt_tokens, load.ctx))
    ttft = roofline.prefill_seconds(subject.device, prompt, subject.efficiency)
    reading, writing = ttft, request.output_tokens * step.seconds
    mixed = request.task == "mixed"
    total = load.batch / step.seconds
    if mixed:  # tokens written over the time of reading the prompts and writing
        total = load.batch * request.output_tokens / (load.batch * reading + writing)
    each = total / load.batch
    share = load.batch * reading / (load.batch * reading + writing) if mixed else 0.0
    meets = request.target_tps is None or each >= request.target_tps * (1 - 1e-9)
    bound = roofline.bound(subject.device, load)
    return Plan(load, total, each, ttft + step.seconds, share, step.bottleneck, bound, meets)


def _prefill(subject: Subject, load: Load) -> Plan:
    seconds = roofline.prefill_seconds(subject.device, load, subject.efficiency)
    speed = load.ctx / seconds
    bound = load.ctx / roofline.prefill_seconds(subject.device, load, roofline.IDEAL)
    return Plan(load, speed, speed, seconds, 1.0, "compute", bound)


def _training(subject: Subject, load: Load) -> Plan | None:
    if roofline.train_need(load) > subject.device.usable:
        return None
    speed = load.batch * load.ctx / roofline.train_seconds(subject.device, load, subject.efficiency)
    bound = load.batch * load.ctx / roofline.train_seconds(subject.device, load, roofline.IDEAL)
    return Plan(load, speed, speed / load.batch, math.nan, 1.0, "compute", bound)


def _line(subject: Subject, request: OptimizeRequest, quant: Quant) -> dict[str, Any]:
    load = base(request, quant)
    room = subject.device.usable - roofline.need(load)
    line: dict[str, Any] = {
        "model": request.model.name, "quantisation": quant.name, "quality_loss": quant.quality, "fits": room >= 0,
        "need_gb": round(roofline.need(load) / 1e9, 3), "headroom_gb": round(room / 1e9, 3), "tok_s": None,
        "ttft_ms": None,
    }  # fmt: skip
    if room >= 0:
        found = _decode(subject, request, load)
        line |= {"tok_s": spread(subject, found), "ttft_ms": round(found.ttft * 1000, 2)}
    return line
