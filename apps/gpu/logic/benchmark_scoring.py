"""The verdict on a benchmark: whether the measurements are those of the claimed card, and a score. Pure: no Django."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from apps.gpu.logic.challenge import Task

BAND = (0.55, 1.10)  # measured ÷ catalogue; below: another card, or throttled hard; above: no such card
#: RTX 3090 of the catalogue = 100.
STANDARD = {"bandwidth_gbps": 936.0, "fp32_tflops": 35.6, "fp16_tflops": 142.0}
MEASUREMENTS = {"bandwidth_gbps": "mem_bandwidth_gbps", "fp32_tflops": "fp32_tflops", "fp16_tflops": "fp16_tflops"}
LEAST_RUNS = 5
#: Passes over the filled memory that filling and digesting make in the reference miner (each array operation reads and
#: writes it), and over each product; a miner that fuses its kernels is faster, never slower.
MEMORY_PASSES = 170.0
PRODUCT_BYTES = 700.0  # moved per entry of a product, to make the factors and digest the result
SLACK = 4.0
ALLOWANCE_SECONDS = 10.0  # start-up of libraries, hashing on the host, the way over the network


class Term(TypedDict):
    """One measurement against the catalogue, in GB/s or TFLOPS."""

    term: str
    measured: float
    reference: float
    ratio: float
    ok: bool


class Verdict(TypedDict):
    """What a benchmark showed; stored in GPUBenchmark.verdict."""

    state: str  # passed | mismatch | failed
    reasons: list[str]
    terms: list[Term]
    score: float
    measured: dict[str, float]
    elapsed_s: float
    allowed_s: float
    model: str  # catalogue | unverified_model


@dataclass(frozen=True)
class Fp16Mode:
    """How fp16 products were accumulated ("fp16", "fp32" or unknown), and whether the card is a GeForce."""

    accumulate: str = ""
    consumer: bool = False

    @property
    def halved(self) -> bool:
        """Whether half the published fp16 rate is expected: a GeForce accumulating in fp32, as older libraries do."""
        return self.consumer and self.accumulate == "fp32"


def plain(measurements: Mapping[str, Any]) -> dict[str, float]:
    """Return {term: median} of a miner's measurements (GB/s, TFLOPS, MB/s).

    Raises ValueError when a required one is missing, or a median is not that of its runs.
    """
    found = {name: _median(sent, measurements[sent]) for name, sent in MEASUREMENTS.items() if sent in measurements}
    others = {
        name: _median(name, measurements[name])
        for name in ("h2d_gbps", "d2h_gbps", "disk_mbps")
        if name in measurements
    }
    if "bandwidth_gbps" not in found or "fp32_tflops" not in found:
        raise ValueError("mem_bandwidth_gbps and fp32_tflops are required")
    return found | others


def judge(
    task: Task,
    measurements: Mapping[str, Any],
    reference: Mapping[str, float | None],
    *,
    elapsed: float,
    faults: Sequence[str],
    fp16: Fp16Mode = Fp16Mode(),
) -> Verdict:
    """Return the verdict: state (passed, mismatch or failed), reasons, terms with their ratios, score, seconds.

    `elapsed` is in seconds by the exchange's clock, from handing out the nonce to receiving the commitment.
    `reference` holds the catalogue's GB/s and TFLOPS; without it nothing is compared: the work was done, the
    measurements are the miner's own. Raises ValueError for measurements that `plain` refuses.
    """
    measured = plain(measurements)
    allowed = allowed_seconds(task, measured)
    terms = [_term(name, measured, value, halved=fp16.halved) for name, value in reference.items()
             if value and name in measured]  # fmt: skip
    reasons = [f"{t['term']} is {t['ratio']:.2f} of the catalogue's" for t in terms if not t["ok"]]
    if elapsed > allowed:
        reasons.append(f"it took {elapsed:.1f} s where its own measurements allow {allowed:.1f} s")
    state = "failed" if faults else "mismatch" if reasons else "passed"
    return {
        "state": state, "reasons": [*faults, *reasons], "terms": terms, "score": score(measured), "measured": measured,
        "elapsed_s": round(elapsed, 3), "allowed_s": round(allowed, 2),
        "model": "catalogue" if terms else "unverified_model",
    }  # fmt: skip


def allowed_seconds(task: Task, measured: Mapping[str, float]) -> float:
    """Return the seconds the work may take at the measured speeds (GB/s, TFLOPS), by the exchange's clock.

    4 · (operations / fp32 rate + bytes moved / bandwidth) + 10 s: whoever claims more must have been faster. Needs
    `bandwidth_gbps` and `fp32_tflops`.
    """
    compute = task.flop / (measured["fp32_tflops"] * 1e12)
    moved_bytes = MEMORY_PASSES * task.bytes + PRODUCT_BYTES * task.words**2 * task.rounds
    return SLACK * (compute + moved_bytes / (measured["bandwidth_gbps"] * 1e9)) + ALLOWANCE_SECONDS


def score(measured: Mapping[str, float]) -> float:
    """Return the geometric mean of the ratios to an RTX 3090 (= 100), over the terms measured: at least one."""
    ratios = [measured[name] / standard for name, standard in STANDARD.items() if name in measured]
    return round(100 * math.exp(sum(math.log(ratio) for ratio in ratios) / len(ratios)), 4)


def _term(name: str, measured: Mapping[str, float], value: float, *, halved: bool) -> Term:
    reference = value / 2 if name == "fp16_tflops" and halved else value
    ratio = measured[name] / reference
    return {"term": name, "measured": measured[name], "reference": reference, "ratio": round(ratio, 4),
            "ok": BAND[0] <= ratio <= BAND[1]}  # fmt: skip


def _median(name: str, sent: Any) -> float:
    runs = sent.get("runs") if isinstance(sent, Mapping) else None
    if not isinstance(runs, list) or len(runs) < LEAST_RUNS:
        raise ValueError(f"{name}: at least {LEAST_RUNS} runs are required")
    numbers = sorted(_number(name, run) for run in runs)
    half = len(numbers) // 2
    median = numbers[half] if len(numbers) % 2 else (numbers[half - 1] + numbers[half]) / 2
    if abs(_number(name, sent.get("median")) / median - 1) > 0.01:
        raise ValueError(f"{name}: the median is not that of its runs")
    return median


def _number(name: str, value: Any) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not 0 < value < 1e9:
        raise ValueError(f"{name}: figures are positive numbers")
    return float(value)
