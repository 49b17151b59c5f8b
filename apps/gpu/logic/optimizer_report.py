"""The recommendation as an API answer: settings, prediction, bottleneck, commands and rollback. Pure: no Django."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from apps.gpu.logic import optimizer, power, roofline
from apps.gpu.logic.llm import KV_BYTES, QUANTS
from apps.gpu.logic.optimizer import OptimizeRequest, Plan, Subject


def advise(subject: Subject, request: OptimizeRequest) -> dict[str, Any]:
    """Return the whole recommendation for one GPU and one request, as AdviceSerializer publishes it."""
    found = optimizer.plan(subject, request)
    report: dict[str, Any] = {
        "fits": found is not None, "objective": request.objective, "task": request.task, "model": request.model.name,
        "current": _current(subject), "fits_table": optimizer.table(subject, request), "confidence": subject.confidence,
        "measurements": subject.efficiency.n,
    }  # fmt: skip
    if found is None:
        return report | _unfit(subject, request)
    limit = _limit(subject, request, found)
    return report | _fit(subject, request, found, limit)


def _fit(subject: Subject, request: OptimizeRequest, found: Plan, limit: power.Choice | None) -> dict[str, Any]:
    speed = limit.speed if limit else 1.0
    predicted = _predicted(subject, found, limit, speed)
    reason = power.unsettable(subject.vendor, subject.kind) or ("" if limit else "its power is not known")
    index = subject.index
    watts = limit.watts if limit and not reason else None
    before = subject.limit_w or (subject.power.ceiling if subject.power else None)
    return {
        "recommended": _recommended(subject, request, found, watts, reason),
        "predicted": predicted,
        "vs_current": _versus(subject, found, predicted),
        "latency_reduction": _saved(subject, request, found, speed),
        "bottleneck": _bottleneck(subject, request, found),
        "roofline": {
            "intensity": round(roofline.intensity(found.load), 3), "ridge": round(roofline.ridge(subject.device), 3),
            "knee_batch": round(roofline.knee_batch(subject.device, found.load.quant, subject.efficiency), 1),
            "bound_tok_s": round(roofline.bound(subject.device, found.load), 3),
        },
        "alternatives": None,
        "commands": power.commands(subject.vendor, index, limit.watts) if limit else [],
        "rollback": power.commands(subject.vendor, index, before) if limit and before else [],
        "warnings": [*subject.warnings, *_warnings(subject, request, found, limit)],
    }  # fmt: skip


def _unfit(subject: Subject, request: OptimizeRequest) -> dict[str, Any]:
    free = f"{subject.device.usable / 1e9:.1f} GB"
    return {
        "recommended": None, "predicted": None, "vs_current": None, "latency_reduction": 0.0, "bottleneck": "capacity",
        "roofline": {"intensity": None, "ridge": round(roofline.ridge(subject.device), 3), "knee_batch": None,
                     "bound_tok_s": None},
        "alternatives": optimizer.alternatives(subject, request), "commands": [], "rollback": [],
        "warnings": [*subject.warnings, f"{request.model.name} does not fit into the {free} usable as asked"],
    }  # fmt: skip


def _current(subject: Subject) -> dict[str, Any]:
    device = subject.device
    return {
        "gpu": subject.name, "device": subject.kind, "memory_gb": round(device.memory / 1e9, 3),
        "usable_gb": round(device.usable / 1e9, 3), "bandwidth_gbps": round(device.bandwidth / 1e9, 2),
        "fp16_tflops": round(device.compute / 1e12, 3), "power_limit_w": subject.limit_w,
        "power_min_w": subject.power.low if subject.power else None,
        "power_max_w": subject.power.high if subject.power else None,
    }  # fmt: skip


def _limit(subject: Subject, request: OptimizeRequest, found: Plan) -> power.Choice | None:
    if subject.power is None:
        return None
    curve = optimizer.curve(subject, found.prefill_share)
    return power.choose(
        subject.power, curve, request.objective, price=request.power_price, rent=subject.rent, target_c=request.target_c
    )


def _predicted(subject: Subject, found: Plan, limit: power.Choice | None, speed: float) -> dict[str, Any]:
    median = found.total * speed
    watts = limit.watts if limit else None
    temperature = power.temperature(subject.power, watts) if subject.power and watts else None
    return {
        "tok_s": optimizer.spread(subject, found, speed),
        "tok_s_per_user": round(found.each * speed, 3),
        "ttft_ms": None if math.isnan(found.ttft) else round(found.ttft * 1000 / speed, 2),
        "J_per_token": round(watts * found.load.gpus / median, 4) if watts else None,
        "watts": watts,
        "temp_c": temperature,
    }


def _recommended(
    subject: Subject, request: OptimizeRequest, found: Plan, watts: float | None, reason: str
) -> dict[str, Any]:
    load = found.load
    longest = roofline.largest_ctx(subject.device, load)
    return {
        "power_limit_w": watts, "power_limit_reason": reason or None,
        "clocks": None, "clocks_reason": "a power limit lets the driver choose the clocks; locking them gains no more",
        "batch": load.batch, "quantisation": load.quant.name, "quality_loss": load.quant.quality,
        "kv_dtype": request.kv, "ctx": load.ctx, "ctx_max": longest, "need_gb": round(_need(request, found) / 1e9, 3),
        "parallelism": {"kind": load.parallelism if load.gpus > 1 else "none", "gpus": load.gpus},
        "engine_flags": _flags(request, found),
    }  # fmt: skip


def _need(request: OptimizeRequest, found: Plan) -> float:
    return roofline.train_need(found.load) if request.task == "training" else roofline.need(found.load)


def _flags(request: OptimizeRequest, found: Plan) -> dict[str, str]:
    """Flags for the two usual engines; training has those of its own framework."""
    load = found.load
    if request.task == "training":
        return {}
    cache = {"fp16": "f16", "q8": "q8_0", "fp8": "q8_0"}[request.kv]
    flags = {"llama.cpp": f"-ngl 999 -c {load.ctx * load.batch} -np {load.batch} -ctk {cache} -ctv {cache} -fa on"}
    if load.quant.name in ("fp16", "fp8", "awq"):
        kind = {"fp16": "", "fp8": " --quantization fp8", "awq": " --quantization awq"}[load.quant.name]
        across = f" --{'tensor' if load.parallelism == 'tp' else 'pipeline'}-parallel-size {load.gpus}"
        flags["vllm"] = f"--max-model-len {load.ctx} --max-num-seqs {load.batch}{kind}{across if load.gpus > 1 else ''}"
    return flags


def _versus(subject: Subject, found: Plan, predicted: dict[str, Any]) -> dict[str, Any] | None:
    """The same plan at the present limit: what changes in speed and energy."""
    if subject.power is None or not predicted["watts"]:
        return None
    now = min(subject.limit_w or subject.power.ceiling, subject.power.ceiling)
    speed = optimizer.curve(subject, found.prefill_share)(now / subject.power.tdp)
    tok_s = found.total * speed
    joules = now * found.load.gpus / tok_s
    return {
        "tok_s": round(tok_s, 3), "watts": now, "J_per_token": round(joules, 4),
        "speed_change": round(predicted["tok_s"]["p50"] / tok_s - 1, 4),
        "energy_change": round(predicted["J_per_token"] / joules - 1, 4),
    }  # fmt: skip


def _saved(subject: Subject, request: OptimizeRequest, found: Plan, speed: float) -> float:
    """By which share the time of one decoding step is shorter than plain fp16's, all else as now."""
    plain = replace(found.load, quant=QUANTS[0], kv_bytes=KV_BYTES["fp16"])
    now = subject.limit_w or (subject.power.ceiling if subject.power else None)
    before = optimizer.curve(subject, found.prefill_share)(now / subject.power.tdp) if subject.power and now else 1.0
    then = roofline.decode_step(subject.device, plain, subject.efficiency, speed=before).seconds
    after = roofline.decode_step(subject.device, found.load, subject.efficiency, speed=speed).seconds
    return round(1 - after / then, 4)


def _bottleneck(subject: Subject, request: OptimizeRequest, found: Plan) -> str:
    limits = subject.power
    if (
        request.objective == "quiet"
        and limits
        and limits.resistance
        and limits.resistance * limits.ceiling > request.target_c - 25
    ):
        return "thermal"
    return found.bottleneck


def _warnings(subject: Subject, request: OptimizeRequest, found: Plan, limit: power.Choice | None) -> list[str]:
    load = found.load
    roomier = replace(load, ctx=min(load.ctx * 2, load.model.max_ctx))
    report = {
        f"{load.quant.name} costs quality: {load.quant.quality}": load.quant.quality in ("small", "visible"),
        f"the target of {request.target_tps} tokens/s per user cannot be met": not found.meets,
        f"the model was made for at most {load.model.max_ctx} tokens of context": request.ctx > load.model.max_ctx,
        "no room for twice the context": not roofline.fits(subject.device, roomier),
        limit.why if limit else "": limit is not None and request.objective != "max_throughput",
    }
    return [text for text, true in report.items() if true]
