"""Our monotone curves against scipy's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.gpu.logic.monotone import Pchip, isotonic

pytestmark = pytest.mark.no_db
VALUES = st.floats(-100, 100).map(lambda value: round(value, 6))  # scipy divides by differences: 1e-311 overflows it
POINTS = st.lists(st.tuples(st.integers(0, 1000), VALUES), min_size=2, max_size=12, unique_by=lambda point: point[0])


@given(POINTS)
def test_interpolation_agrees_with_scipy_and_passes_through_the_points(points):
    from scipy.interpolate import PchipInterpolator

    x, y = zip(*sorted(points), strict=True)
    ours, theirs = Pchip(x, y), PchipInterpolator(x, y)

    for n in range(41):
        at = x[0] + (x[-1] - x[0]) * n / 40
        assert ours(at) == pytest.approx(float(theirs(at)), abs=1e-6, rel=1e-6)
    assert [ours(at) for at in x] == pytest.approx(list(y))


@given(st.lists(VALUES, min_size=1, max_size=30))
def test_isotonic_regression_agrees_with_scipy(values):
    from scipy.optimize import isotonic_regression

    ours = isotonic(values)

    assert ours == pytest.approx(list(isotonic_regression(values).x), abs=1e-9)
    assert ours == sorted(ours)
