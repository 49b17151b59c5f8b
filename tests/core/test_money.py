"""Money is exact: parsing, printing, metering, fees."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitbc.core.money import LARGEST, fee_of, format_amount, metered, parse_amount


@given(st.integers(-LARGEST, LARGEST))
def test_printed_amounts_read_back(micro):
    assert parse_amount(format_amount(micro)) == micro


@pytest.mark.parametrize(
    "text",
    ["", "abc", "NaN", "Infinity", "1e400", "0.0000001", "9223372036854.775808", "١٢", "1" * 50, "1,5", "1_0", "+0.01"]
    + ["-0", "-0.000000", "0.9999999999999999999999999999999", "1000.0000000000000000000000000001"]
    + [" 0.01 ", "1e-2", "1E2", ".5", "5.", "0x1", "--1", "1 0", "１"],
)
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError):
        parse_amount(text)


@given(st.integers(0, 10**13), st.integers(7, 33), st.integers(1, 9))
def test_no_digit_is_rounded_away_before_an_amount_is_judged(whole, places, last):
    for text in (f"{whole}.{'9' * (places - 1)}{last}", f"{whole}.{'0' * (places - 1)}{last}"):
        for value in (text, Decimal(text)):
            with pytest.raises(ValueError):
                parse_amount(value)
    assert parse_amount(f"{min(whole, 10**12)}.1{'0' * 20}") == min(whole, 10**12) * 10**6 + 100_000


@pytest.mark.parametrize("value", [0.1, True])
def test_floats_and_booleans_are_no_amounts(value):
    with pytest.raises(ValueError):
        parse_amount(value)


@given(st.integers(0, 10**15), st.integers(0, 10_000))
def test_a_fee_is_rounded_half_to_even(amount, bp):
    exact = Decimal(amount) * bp / 10_000

    assert fee_of(amount, bp) == int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))
    assert 0 <= fee_of(amount, bp) <= amount


@given(st.integers(0, 10**12), st.integers(0, 10**9))
def test_metering_rounds_down_by_less_than_one_unit(rate, ms):
    exact = Fraction(rate * ms, 3_600_000)

    assert exact - 1 < metered(rate, ms) <= exact
