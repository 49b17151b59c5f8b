"""The formula of earnings."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.gpu.logic import earnings

COSTS = st.builds(
    earnings.Costs, st.decimals(0, 1, places=4), st.decimals(0, 100, places=1), st.decimals(100, 1000, places=1),
    st.integers(0, 5_000_000), st.integers(0, 1500),
)  # fmt: skip


@pytest.mark.no_db
@given(COSTS, st.integers(0, 10**8), st.integers(0, 10**8))
def test_a_higher_price_never_earns_less_and_break_even_is_the_least_price_without_loss(costs, price, more):
    assert earnings.net(price + more, costs) >= earnings.net(price, costs)
    least = earnings.break_even(costs)
    if least is None:
        assert costs.utilisation == 0
        return
    assert earnings.net(least, costs) >= 0
    assert least == 0 or earnings.net(least - 1, costs) < 0
    assert earnings.recommended(costs) >= least


@pytest.mark.no_db
@given(COSTS, st.integers(0, 10**8), st.integers(0, 10**6))
def test_dearer_power_never_earns_more(costs, price, dearer):
    other = earnings.Costs(costs.utilisation, costs.idle_w, costs.load_w, costs.power_price + dearer, costs.fee_bp)

    assert earnings.net(price, other) <= earnings.net(price, costs)
    assert isinstance(costs.energy, Decimal)
