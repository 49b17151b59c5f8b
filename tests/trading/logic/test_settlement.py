"""Dividing what was held for a job: the parts are the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.trading.logic.settlement import split
from tests.trading.factories import HOUR


@pytest.mark.no_db
@given(
    amount=st.integers(0, 10**15), rate=st.integers(0, 10**12), milliseconds=st.integers(0, 10**10),
    fee_bp=st.integers(0, 10_000),
)  # fmt: skip
def test_the_parts_are_the_whole(amount: int, rate: int, milliseconds: int, fee_bp: int) -> None:
    parts = split(amount=amount, rate=rate, milliseconds=milliseconds, fee_bp=fee_bp)

    assert parts.paid + parts.fee + parts.refunded == amount
    assert min(parts.paid, parts.fee, parts.refunded) >= 0
    assert parts.cost == min(rate * milliseconds // HOUR, amount)
    assert abs(parts.fee * 10_000 - parts.cost * fee_bp) <= 5_000
