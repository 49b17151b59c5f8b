"""Calibration of one GPU by its benchmarks: efficiencies, spread of predictions, speed at other power limits.

A benchmark shows what the hardware reaches, not what an inference engine gets out of it. The default efficiencies hold
for engines on cards that reach the typical shares of their published peaks below; one that reaches more or less scales
its efficiency in proportion: observation = η0 · (measured ÷ published) ÷ typical. Observations are shrunk towards
η0 as if that had been measured five times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from apps.gpu.logic import roofline
from apps.gpu.logic.roofline import Efficiency
from apps.gpu.models import GPUBenchmark, GPURegistry

#: Shares of the published peak that STREAM's triad and a large matrix product reach on an ordinary card.
TYPICAL_BANDWIDTH, TYPICAL_COMPUTE = 0.92, 0.75
MOST_OBSERVATIONS = 20  # observations; older ones are forgotten
RESIDUALS_FROM = 5


def efficiency(learned: Mapping[str, Any]) -> Efficiency:
    """Return the efficiencies and spread as learned so far; the defaults where nothing was."""
    bandwidth, compute = learned.get("bandwidth", []), learned.get("compute", [])
    base = roofline.DEFAULT
    low, high = _spread(learned.get("residuals", []))
    return Efficiency(
        decode=roofline.shrunk(base.decode, [base.decode * ratio / TYPICAL_BANDWIDTH for ratio in bandwidth]),
        compute=roofline.shrunk(base.compute, [base.compute * ratio / TYPICAL_COMPUTE for ratio in compute]),
        prefill=roofline.shrunk(base.prefill, [base.prefill * ratio / TYPICAL_COMPUTE for ratio in compute]),
        low=low, high=high, n=max(len(bandwidth), len(compute)),
    )  # fmt: skip


def learned(gpu: GPURegistry, benchmark: GPUBenchmark) -> dict[str, Any]:
    """Return the GPU's calibration values (column `learned`) after this benchmark."""
    values = dict(gpu.learned)
    ratios = {term["term"]: term["ratio"] for term in benchmark.verdict["terms"]}
    for name, term in (("bandwidth", "bandwidth_gbps"), ("compute", "fp16_tflops")):
        if term in ratios and benchmark.proves_id is None:
            values[name] = [*values.get(name, []), ratios[term]][-MOST_OBSERVATIONS:]
    if (point := _point(benchmark)) is not None:
        others = [one for one in values.get("sweep", []) if abs(one["watts"] - point["watts"]) >= 1]
        values["sweep"] = [*others, point][-MOST_OBSERVATIONS:]
    return values


def with_residual(values: Mapping[str, Any], measured_over_predicted: float) -> dict[str, Any]:
    """Return the same values with one more residual, log(measured ÷ predicted)."""
    residuals = [*values.get("residuals", []), round(math.log(max(measured_over_predicted, 1e-6)), 5)]
    return {**values, "residuals": residuals[-MOST_OBSERVATIONS:]}


def _spread(residuals: list[float]) -> tuple[float, float]:
    """p10 and p90 over p50: from five residuals on, their own quantiles; before, the stated default."""
    if len(residuals) < RESIDUALS_FROM:
        return roofline.DEFAULT.low, roofline.DEFAULT.high
    ordered = sorted(residuals)
    return min(math.exp(_quantile(ordered, 0.1)), 1.0), max(math.exp(_quantile(ordered, 0.9)), 1.0)


def _quantile(ordered: list[float], share: float) -> float:
    """Linear between the two nearest."""
    at = share * (len(ordered) - 1)
    left = min(int(at), len(ordered) - 2)
    return ordered[left] + (at - left) * (ordered[left + 1] - ordered[left])


def _point(benchmark: GPUBenchmark) -> dict[str, float] | None:
    """Speed at the power limit that the card had."""
    measured, watts = benchmark.verdict["measured"], benchmark.environment.get("power_limit_w")
    rate = measured.get("fp16_tflops", measured.get("fp32_tflops"))
    if not isinstance(watts, (int, float)) or isinstance(watts, bool) or not 0 < watts < 5000 or rate is None:
        return None
    return {"watts": float(watts), "bandwidth": measured["bandwidth_gbps"], "compute": rate}
