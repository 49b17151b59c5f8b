"""Reliability of a miner: the lower quantile of a Beta posterior over what it kept and broke.

The prior is Beta(8, 2); what a miner did counts by kind and fades with a half-life of 30 days. R is the 5 % quantile
of Beta(8 + kept, 2 + broken): evidence raises it, and it stays within [0, 1].
Quantile of the Beta distribution: the inverse of the regularised incomplete beta function (Abramowitz & Stegun 26.5).
"""

from __future__ import annotations

PRIOR_KEPT, PRIOR_BROKEN = 8.0, 2.0
QUANTILE = 0.05
HALF_LIFE_DAYS = 30.0
#: What one event of each kind weighs when it is fresh.
WEIGHTS = {
    "hour": 0.05,
    "lease": 1.0,
    "booking": 1.0,
    "no_show": 3.0,
    "provider_cancel": 2.0,
    "failed_hardware": 1.0,
}
FORMULA = (
    "R = 5 % quantile of Beta(8 + Σ kept, 2 + Σ broken); an event weighs w(kind) × 0.5^(age / 30 d), with w = "
    + ", ".join(f"{kind} {weight:g}" for kind, weight in WEIGHTS.items())
)


def lower_bound(kept: float, broken: float) -> float:
    """Return R from the weights of what was kept and broken (both ≥ 0)."""
    from scipy.special import betaincinv  # type: ignore[import-untyped]  # imported late: slow, and seldom needed

    return float(betaincinv(PRIOR_KEPT + kept, PRIOR_BROKEN + broken, QUANTILE))


def faded(weight: float, age_days: float) -> float:
    """Return what an event of this weight counts for after so many days."""
    share: float = 0.5 ** (max(age_days, 0.0) / HALF_LIFE_DAYS)
    return weight * share
