"""Ratings: a Bayesian mean in which aged, cheap, repeated and mutual reviews weigh little.

rating = (C·m + Σ wᵢ·rᵢ) / (C + Σ wᵢ), with C = 10 and m the mean of all ratings of the market;
wᵢ = 0.5^(age / 180 days) · min(1, spent / 10 AIT). One counterparty has at most a quarter of all the weight, C
included; who rents from each other both ways is shown, but not counted. See docs/renters.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

PRIOR = 10.0
HALF_LIFE_DAYS = 180.0
FULL_WEIGHT = 10_000_000  # micro-AIT spent
LARGEST_SHARE = 0.25
FORMULA = (
    "rating = (10·m + Σ w·r) / (10 + Σ w); m: mean of all ratings of the market; "
    "w = 0.5^(age/180 d) · min(1, spent/10 AIT); one counterparty has at most 25 % of all weight; "
    "pairs that rent from each other do not count"
)


@dataclass(frozen=True)
class Vote:
    """One review, as far as the rating is concerned."""

    rater: UUID
    stars: int
    age_days: float
    spent: int  # micro-AIT, in the booking it is about
    reciprocal: bool = False

    @property
    def weight(self) -> float:
        if self.reciprocal:
            return 0.0
        faded: float = 0.5 ** (max(0.0, self.age_days) / HALF_LIFE_DAYS)
        return faded * min(1.0, self.spent / FULL_WEIGHT)


def shown(votes: Sequence[Vote], mean: float) -> float:
    """Return the rating (1 to 5) from these reviews, in a market whose ratings have this mean."""
    factors = capped(votes)
    weighed = [(vote.stars, vote.weight * factors[vote.rater]) for vote in votes]
    return (PRIOR * mean + sum(stars * w for stars, w in weighed)) / (PRIOR + sum(w for _, w in weighed))


def capped(votes: Sequence[Vote]) -> dict[UUID, float]:
    """Return by what each rater's weights are multiplied, so that nobody has more than a quarter of the whole.

    Water-filling: with k raters at the cap c, c = (C + rest) · ¼ / (1 − k·¼). At k = 3 that is C + rest, which no
    further rater exceeds: at most three are at the cap.
    """
    totals: dict[UUID, float] = defaultdict(float)
    for vote in votes:
        totals[vote.rater] += vote.weight
    cap = ceiling_of(sorted(totals.values(), reverse=True))
    return {rater: min(1.0, cap / total) if total else 1.0 for rater, total in totals.items()}


def ceiling_of(totals: Sequence[float]) -> float:
    """Return the cap that holds for these sums of weights, largest first."""
    for k in range(len(totals) + 1):
        cap = (PRIOR + sum(totals[k:])) * LARGEST_SHARE / (1 - k * LARGEST_SHARE)
        if k == len(totals) or totals[k] <= cap:
            return cap
    raise AssertionError("unreachable")
