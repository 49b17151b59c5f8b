"""How speed falls when a card's power is limited, and which limit to choose. Pure: no Django.

The default curves are measured ones of an RTX 3090: decoding from 350 W down to 100 W and prefill likewise
(jankyai.droidgram.com, "Power limiting RTX 3090"; llmgarage.ai, "Power limit tokens per second benchmark"). Between the
points a monotone cubic (PCHIP) is drawn. A card with four or more measured points of its own
gets them instead, made monotone first (isotonic regression).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from apps.gpu.logic.monotone import Pchip, isotonic

DECODE = ((0.29, 0.17), (0.43, 0.41), (0.50, 0.62), (0.57, 0.81), (0.64, 0.88), (0.71, 0.94), (0.80, 0.96),
          (0.86, 0.98), (1.0, 1.0))  # fmt: skip
PREFILL = ((0.29, 0.14), (0.43, 0.26), (0.57, 0.60), (0.71, 0.85), (0.86, 0.94), (1.0, 1.0))
OWN_POINTS = 4
STEPS = 141  # ratios tried, from 0.29 to 1
BALANCED_SPEED = 0.95
MODES = ("max_throughput", "balanced", "efficiency", "quiet", "price")
AMBIENT_C = 25.0
TARGET_C = 70.0


@dataclass(frozen=True)
class Curve:
    """Speed as a share of full speed, by power as a share of the design power."""

    points: tuple[tuple[float, float], ...]
    own: bool = False

    def __call__(self, ratio: float) -> float:
        return self._interpolator(ratio)

    @cached_property
    def _interpolator(self) -> Pchip:
        return Pchip([ratio for ratio, _ in self.points], [speed for _, speed in self.points])


@dataclass(frozen=True)
class PowerLimits:
    """The power range of a GPU in watts: design power and the driver's limits, with the vendor's tool."""

    tdp: float
    low: float | None = None
    high: float | None = None
    vendor: str = "nvidia"
    resistance: float | None = None  # °C per watt, from telemetry

    @property
    def floor(self) -> float:
        """The least limit considered, in watts: the driver's, or 29 % of design power, where the curves begin."""
        return min(math.ceil(max(self.low or 0.0, DECODE[0][0] * self.tdp)), self.ceiling)

    @property
    def ceiling(self) -> float:
        """The highest limit considered, in watts: the driver's or the design power, whichever is lower."""
        return max(math.floor(min(self.high or self.tdp, self.tdp)), self.low or 0.0)


@dataclass(frozen=True)
class Choice:
    """A power limit, the speed it leaves, and what it saves of energy per token."""

    watts: float
    speed: float
    mode: str
    why: str


def default_curve(prefill_share: float) -> Curve:
    """Return decoding and prefill mixed by the share of time that prefill takes at full speed."""
    return _default(round(min(max(prefill_share, 0.0), 1.0), 3))


@cache
def _default(share: float) -> Curve:
    return mixed(Curve(DECODE), Curve(PREFILL), share)


def mixed(decode: Curve, prefill: Curve, prefill_share: float) -> Curve:
    """Return two curves mixed by the share of time in prefill.

    Time adds up: 1 / ((1 − share) / decode + share / prefill).
    """
    share = min(max(prefill_share, 0.0), 1.0)
    ratios = sorted({ratio for ratio, _ in (*decode.points, *prefill.points)})
    points = ((r, 1 / ((1 - share) / decode(r) + share / prefill(r))) for r in ratios)
    return Curve(tuple(points), own=decode.own and prefill.own)


def own_curve(sweep: Sequence[tuple[float, float]]) -> Curve | None:
    """Return a curve through a GPU's own (power share, speed share) points; None with fewer than four of them."""
    best: dict[float, float] = {}
    for ratio, speed in sweep:
        best[round(ratio, 2)] = max(speed, best.get(round(ratio, 2), 0.0))
    if len(best) < OWN_POINTS:
        return None
    ratios = sorted(best)
    speeds = isotonic([best[ratio] for ratio in ratios])
    top = speeds[-1]
    return Curve(tuple((ratio, speed / top) for ratio, speed in zip(ratios, speeds, strict=True)), own=True)


def choose(
    limits: PowerLimits,
    curve: Curve,
    mode: str,
    *,
    price: float = 0.0,
    rent: float = 0.0,
    target_c: float = TARGET_C,
) -> Choice:
    """Return the power limit (watts, within the GPU's limits) for an objective, and the share of full speed it leaves.

    max_throughput: the ceiling. balanced: least energy per token that keeps 95 % of the speed. efficiency: least energy
    per token. quiet: P ≤ (T_target − T_ambient) / R_th. price: least (energy + rent) per token; `price` is of a kWh and
    `rent` of an hour, in one currency; `target_c` is in °C.
    """
    ceiling = _cooled(limits, target_c) if mode == "quiet" else limits.ceiling
    speeds = {watts: _speed(limits, curve, watts) for watts in _watts(limits)}
    full = max(speeds.values())
    tried = [watts for watts in speeds if watts <= ceiling] or [limits.floor]
    if mode == "balanced":
        tried = [watts for watts in tried if speeds[watts] >= BALANCED_SPEED * full]
    if mode == "price":
        watts = min(tried, key=lambda w: ((w / 1000 * price + rent) / speeds[w], w))
    elif mode in ("balanced", "efficiency"):
        watts = min(tried, key=lambda w: (w / speeds[w], w))
    else:
        watts = min(tried, key=lambda w: (-speeds[w], w))
    return Choice(watts, speeds[watts], mode, _why(mode, watts, limits, curve, target_c))


def resistance(power_w: float, temperature_c: float, ambient_c: float = AMBIENT_C) -> float | None:
    """Return the thermal resistance (T − T_ambient) / P in °C per watt; None below 50 W or the ambient temperature."""
    if power_w < 50 or temperature_c <= ambient_c:
        return None
    return (temperature_c - ambient_c) / power_w


def temperature(limits: PowerLimits, watts: float) -> float | None:
    """Return the steady temperature in °C at this power; None without telemetry."""
    return None if limits.resistance is None else round(AMBIENT_C + limits.resistance * watts, 1)


def commands(vendor: str, index: int, watts: float) -> list[str]:
    """Return the shell commands that set the limit; none where no tool can."""
    return {
        "nvidia": [f"nvidia-smi -i {index} -pm 1", f"nvidia-smi -i {index} -pl {watts:.0f}"],
        "amd": [f"rocm-smi -d {index} --setpoweroverdrive {watts:.0f}"],
    }.get(vendor.lower(), [])


def unsettable(vendor: str, device: str) -> str:
    """Return why the exchange cannot set a power limit; "" when it can."""
    if device == "cpu":
        return "a processor's power is not ours to set"
    return {
        "nvidia": "",
        "amd": "the miner sets power limits through NVML only; rocm-smi can, by hand",
        "apple": "macOS offers no tool to limit a GPU's power",
        "intel": "there is no common tool to limit an Intel card's power",
    }.get(vendor.lower(), "the vendor is not known, so no tool is")


def _watts(limits: PowerLimits) -> list[float]:
    """Whole watts from the floor to the ceiling, at most STEPS of them."""
    step = max(math.ceil((limits.ceiling - limits.floor) / STEPS), 1)
    return [limits.ceiling - n * step for n in range(int((limits.ceiling - limits.floor) / step), -1, -1)]


def _speed(limits: PowerLimits, curve: Curve, watts: float) -> float:
    return max(curve(watts / limits.tdp), 1e-6)


def _cooled(limits: PowerLimits, target_c: float) -> float:
    """The power at which the card stays at the target; without telemetry, 70 % of the design power."""
    if limits.resistance is None:
        return min(limits.ceiling, 0.7 * limits.tdp)
    return min(limits.ceiling, (target_c - AMBIENT_C) / limits.resistance)


def _why(mode: str, watts: float, limits: PowerLimits, curve: Curve, target_c: float) -> str:
    share, full = _speed(limits, curve, watts), _speed(limits, curve, limits.ceiling)
    text = f"{watts:.0f} W leaves {share / full:.0%} of the speed of {limits.ceiling:.0f} W"
    if mode == "quiet" and limits.resistance is None:
        return f"{text}; no telemetry yet, so 70 % of the design power is taken for {target_c:.0f} °C"
    return text
