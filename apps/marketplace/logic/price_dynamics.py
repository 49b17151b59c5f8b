"""Dynamic prices: the factor of a cell follows its utilisation towards a target, in bounded steps.

m ← clamp(m · exp(k · (u − u*)), 0.5, 4), and no step changes m by more than an eighth (the bound of EIP-1559).
u is an exponentially weighted moving average with a half-life of 30 minutes.
"""

from __future__ import annotations

import math

LOWEST, HIGHEST = 0.5, 4.0
LARGEST_STEP = 0.125
HALF_LIFE_S = 1800.0
FEWEST_PROVIDERS = 3  # a thinner market holds its prices


def smoothed(before: float, sample: float, elapsed_s: float) -> float:
    """Return the moving average after one more sample; α = 1 − 2^(−Δt / half-life)."""
    alpha: float = 1.0 - 2.0 ** (-max(elapsed_s, 0.0) / HALF_LIFE_S)
    return before + alpha * (sample - before)


def moved(multiplier: float, utilisation: float, *, k: float, target: float) -> float:
    """Return the next multiplier: up when busier than the target, down when idler."""
    target_multiplier = multiplier * math.exp(k * (utilisation - target))
    stepped = min(max(target_multiplier, multiplier * (1 - LARGEST_STEP)), multiplier * (1 + LARGEST_STEP))
    return min(max(stepped, LOWEST), HIGHEST)


def stepped(ratio: float) -> float:
    """Return the legacy factor for a ratio of demand to supply (docs/prices.md)."""
    if ratio > 1.5:
        return 1.2
    if ratio > 1.0:
        return 1.1
    return 0.9 if ratio < 0.5 else 1.0


def priced(base: int, multiplier: float, floor: int | None, ceiling: int | None) -> int:
    """Return the price of an offer in micro-AIT: base × m, within the provider's own bounds, never below one."""
    price = round(base * multiplier)
    if ceiling is not None:
        price = min(price, ceiling)
    return max(price, floor or 0, 1)
