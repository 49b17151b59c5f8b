"""Meters, calendars and ratings against brute force: slices of time add up, the next free moment is the first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitbc.core.money import MS_PER_HOUR, metered, metered_parts
from apps.marketplace.logic import calendars, rating
from apps.marketplace.services.metering import between

pytestmark = pytest.mark.no_db
START = datetime(2026, 1, 1, tzinfo=UTC)
rates = st.integers(1, 10**12)


@settings(deadline=None)
@given(rate=rates, slices=st.lists(st.integers(1, 10**8), min_size=1, max_size=50))
def test_slices_add_up_to_the_whole(rate, slices):
    owed = carry = 0
    for ms in slices:
        amount, carry = metered_parts([(rate, ms)], carry)
        owed += amount

    assert owed == metered(rate, sum(slices))
    assert 0 <= carry < MS_PER_HOUR


@settings(deadline=None)
@given(
    spans=st.lists(st.tuples(st.integers(0, 500), rates), min_size=0, max_size=5),
    cuts=st.lists(st.integers(0, 600), max_size=10), total=st.integers(1, 600),
)  # fmt: skip
def test_with_changing_rates_every_millisecond_is_charged_once_at_its_own(spans, cuts, total):
    ordered = [(0, 7), *sorted(spans, key=lambda span: span[0])]
    edges = sorted({0, total, *(cut for cut in cuts if cut < total)})

    owed = carry = 0
    for start, end in zip(edges, edges[1:], strict=False):
        amount, carry = metered_parts(between(ordered, start, end), carry)
        owed += amount

    rate_at = [[rate for since, rate in ordered if since <= ms][-1] for ms in range(total)]
    assert owed == sum(rate_at) // MS_PER_HOUR


minutes = st.integers(0, 60)
calendar = st.dictionaries(st.integers(0, 3), st.lists(st.tuples(minutes, st.integers(1, 20)), max_size=5), min_size=1)


def when(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


@settings(deadline=None)
@given(taken=calendar, count=st.integers(1, 4), length=st.integers(1, 30), after=minutes, until=st.none() | minutes)
def test_the_next_free_moment_is_the_first_there_is(taken, count, length, after, until):
    busy = {slot: [(when(a), when(a + n)) for a, n in spans] for slot, spans in taken.items()}

    found = calendars.next_free(
        busy, count, timedelta(minutes=length), when(after), None if until is None else when(until)
    )

    def free(slot, start):
        return all(a + n <= start or start + length <= a for a, n in taken[slot])

    last = 200 if until is None else until - length
    first = next((m for m in range(after, last + 1) if sum(free(slot, m) for slot in taken) >= count), None)
    assert found == (None if first is None else when(first))


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
