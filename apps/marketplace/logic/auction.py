"""Winner and price of a reverse auction, in whole numbers, so that anybody computes the same.

A bid's score is w_p·(1 − p/B) + w_q·q + w_r·R (docs/auctions.md): p its price, B the demand's budget, q the
quality of its cards, R the reliability of their miner; the weights sum to one. The price term depends on no other bid,
else the second-score rule would not be truthful. Here weights are basis points, q and R millionths, prices micro-AIT,
and a score is the whole number that the above gives when multiplied by B · 10⁴ · 10⁶.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WHOLE_WEIGHT = 10_000
MILLION = 1_000_000
#: A bid that pushes out another when the book is full beats it by so many hundredths of its score.
EVICTION_PERCENT = 1


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What counts how much, in basis points that sum to 10000. The price counts something, or it could be anything."""

    price: int = WHOLE_WEIGHT
    quality: int = 0
    reliability: int = 0

    def __post_init__(self) -> None:
        if min(self.price - 1, self.quality, self.reliability) < 0 or self.total != WHOLE_WEIGHT:
            raise ValueError("weights are basis points that sum to 10000, with more than 0 on the price")

    @property
    def total(self) -> int:
        """The sum of the weights, 10000 by construction."""
        return self.price + self.quality + self.reliability


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The rules of one auction: micro-AIT per hour; `reserve` is what a lone bidder is paid under second_score."""

    budget: int
    weights: Weights
    second_score: bool = False
    reserve: int | None = None


@dataclass(frozen=True, kw_only=True)
class Bid:
    """One bid as it counts: price in micro-AIT per hour, quality and reliability in millionths; `at` orders ties."""

    id: str
    at: str
    price: int
    quality: int
    reliability: int


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A bid with its score."""

    bid: Bid
    score: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The bids from best to worst, and what the first is paid; nothing without bids."""

    ranking: tuple[Ranked, ...]
    price: int | None

    @property
    def winner(self) -> Bid | None:
        """The best bid; None without bids."""
        return self.ranking[0].bid if self.ranking else None


def worth(bid: Bid, weights: Weights) -> int:
    """Return what a bid brings besides its price: (w_q·q + w_r·R) · 10⁴ · 10⁶."""
    return weights.quality * bid.quality + weights.reliability * bid.reliability


def score(bid: Bid, terms: Terms) -> int:
    """Return the bid's score times B · 10⁴ · 10⁶: a whole number, so that equal is equal."""
    room = terms.weights.price * MILLION * (terms.budget - bid.price)
    return room + terms.budget * worth(bid, terms.weights)


def clear(bids: Iterable[Bid], terms: Terms) -> Outcome:
    """Rank bids (each within the budget) by score, ties by time and then by id; returns the ranking and the price."""
    found = [Ranked(bid=bid, score=score(bid, terms)) for bid in bids]
    found.sort(key=lambda one: (-one.score, one.bid.at, one.bid.id))
    return Outcome(ranking=tuple(found), price=price_of(found, terms) if found else None)


def price_of(ranking: list[Ranked], terms: Terms) -> int:
    """Return what the first of a ranking (not empty) is paid, micro-AIT per hour: its own price or the second-score
    one.

    p* = B·(1 − (s₂ − w_q·q₁ − w_r·R₁) / w_p), rounded down to a micro-AIT, within [p₁, B]: the highest price at which
    it would still have been first. A lone bidder is paid the reserve, or the budget where there is none, and never less
    than its bid.
    """
    first = ranking[0].bid
    if not terms.second_score:
        return first.price
    if len(ranking) == 1:
        lone = terms.budget if terms.reserve is None else min(terms.reserve, terms.budget)
        return max(first.price, lone)
    gap = ranking[1].score - terms.budget * worth(first, terms.weights)
    highest = terms.budget - ceiling(gap, terms.weights.price * MILLION)
    return min(max(first.price, highest), terms.budget)


def ceiling(numerator: int, denominator: int) -> int:
    """Return numerator / denominator, rounded up; the denominator is positive."""
    return -(-numerator // denominator)


def beats(new: Bid, worst: Bid, terms: Terms) -> bool:
    """Return whether a new bid is good enough to push out the worst of a full book: by 1 % of its score, and by
    something."""
    mine, other = score(new, terms), score(worst, terms)
    return mine > other and 100 * mine >= (100 + EVICTION_PERCENT) * other


def quality_of(benchmark: float | None, *, verified: bool) -> int:
    """Return the quality of GPUs in millionths: b / (b + 100) of their benchmark b (RTX 3090 = 100).

    Four fifths of it while the GPUs are not verified; 0 without a benchmark.
    """
    milli = max(0, round((benchmark or 0.0) * 1000))
    points = MILLION * milli // (milli + 100_000)
    return points if verified else points * 4 // 5


def millionths(share: float) -> int:
    """Return a share between 0 and 1, such as a reliability, as a whole number of millionths."""
    return min(MILLION, max(0, round(share * MILLION)))
