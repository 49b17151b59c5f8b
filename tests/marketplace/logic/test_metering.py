"""Metered use against brute force: slices of time add up to the whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitbc.core.money import MS_PER_HOUR, metered, metered_parts
from apps.marketplace.services.metering import rates_between

pytestmark = pytest.mark.no_db


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
        amount, carry = metered_parts(rates_between(ordered, start, end), carry)
        owed += amount

    rate_at = [[rate for since, rate in ordered if since <= ms][-1] for ms in range(total)]
    assert owed == sum(rate_at) // MS_PER_HOUR
