"""The rating against its formula: one rater's share of the weight is bounded."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.marketplace.logic import rating

pytestmark = pytest.mark.no_db


votes = st.builds(
    rating.Vote, rater=st.integers(0, 6).map(lambda n: UUID(int=n)), stars=st.integers(1, 5),
    age_days=st.floats(0, 1000), spent=st.integers(0, 30_000_000), reciprocal=st.booleans(),
)  # fmt: skip


@settings(deadline=None)
@given(cast=st.lists(votes, max_size=40), mean=st.floats(1, 5))
def test_nobody_has_more_than_a_quarter_of_the_weight(cast, mean):
    factors = rating.capped(cast)
    weights: dict[UUID, float] = {}
    for vote in cast:
        weights[vote.rater] = weights.get(vote.rater, 0.0) + vote.weight * factors[vote.rater]
    whole = rating.PRIOR + sum(weights.values())

    assert all(weight <= whole / 4 + 1e-9 for weight in weights.values())
    uncut = {r for r, f in factors.items() if f == 1.0}
    assert len(uncut) >= len(factors) - 3
    assert 1.0 - 1e-9 <= rating.shown(cast, mean) <= 5.0 + 1e-9


def vote(stars: int, rater: int = 1, **more) -> rating.Vote:
    return rating.Vote(**{"rater": UUID(int=rater), "stars": stars, "age_days": 0.0, "spent": 10_000_000, **more})


def test_one_good_review_moves_a_rating_a_little():
    assert rating.shown([vote(5)], 3.0) == pytest.approx((10 * 3 + 5) / 11)


def test_aged_cheap_and_mutual_reviews_weigh_less():
    fresh = rating.shown([vote(5)], 3.0)

    assert rating.shown([vote(5, age_days=180.0)], 3.0) == pytest.approx((30 + 2.5) / 10.5)
    assert 3.0 < rating.shown([vote(5, spent=1_000_000)], 3.0) < fresh
    assert rating.shown([vote(5, reciprocal=True)], 3.0) == 3.0


def test_a_ring_of_one_cannot_buy_a_rating():
    bought, honest = [vote(5) for _ in range(100)], [vote(5, rater) for rater in range(100)]

    assert rating.shown(bought, 3.0) == pytest.approx((30 + 5 * 10 / 3) / (10 + 10 / 3))
    assert rating.shown(honest, 3.0) > 4.8
