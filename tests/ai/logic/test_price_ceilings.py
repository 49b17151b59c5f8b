"""The ceiling of a job without max_price, and what it bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitbc.core.money import MS_PER_HOUR
from apps.ai.logic.price_ceilings import GRID, market_ceiling
from apps.ai.logic.requirements import price_ceiling, requirement_of
from apps.gpu.logic.capabilities import Offer
from apps.gpu.logic.job_matching import Candidate, fits
from apps.gpu.services.requirement_classes import on_grid
from apps.trading.logic.settlement import split

AIT = 1_000_000
DEFAULT = 10 * AIT


@pytest.mark.parametrize(
    ("median", "owners", "expected"),
    [
        (None, 0, DEFAULT), (1 * AIT, 3, 3 * AIT), (420_000, 3, 1_300_000), (0, 3, 0), (1, 3, GRID), (1, 1, GRID),
        (1 * AIT, 1, 3 * AIT), (1000 * AIT, 2, DEFAULT), (1000 * AIT, 3, 3000 * AIT), (3_600_000, 5, 11 * AIT),
    ],
)  # fmt: skip
def test_the_ceiling_is_a_multiple_of_the_median(median, owners, expected):
    assert market_ceiling(median, owners=owners, percent=300, default=DEFAULT) == expected


@given(st.integers(0, 10**12), st.integers(100, 10_000))
def test_the_ceiling_is_never_below_the_multiple_and_is_matched_as_it_is(median, percent):
    ceiling = market_ceiling(median, owners=3, percent=percent, default=0)

    exact = median * percent // 100
    assert ceiling >= exact
    assert ceiling < exact + max(GRID, exact // 10 + 1)
    assert price_ceiling(ceiling) == on_grid({"max_price": ceiling})["max_price"] == ceiling


@given(
    ceiling=st.integers(0, 10**13),
    rate=st.integers(0, 9 * 10**18),
    milliseconds=st.integers(0, 7 * 86_400_000),
    held=st.integers(0, 10**15),
    fee_bp=st.integers(0, 1500),
)
def test_what_is_captured_is_within_the_rate_and_the_ceiling_for_the_time(ceiling, rate, milliseconds, held, fee_bp):
    """A miner that fits has a rate up to the ceiling; the client pays rate × time rounded down, up to what was held."""
    needs = on_grid(requirement_of("x", {"max_price": ceiling}))
    if not fits(needs, Candidate(id="m", offer=Offer(), rate=rate, reputation=500)):
        rate = needs["max_price"]  # as much as fits
    parts = split(amount=held, rate=rate, milliseconds=milliseconds, fee_bp=fee_bp)

    assert parts.cost == min(rate * milliseconds // MS_PER_HOUR, held)
    assert parts.cost * MS_PER_HOUR <= ceiling * milliseconds
    assert parts.paid + parts.fee + parts.refunded == held
