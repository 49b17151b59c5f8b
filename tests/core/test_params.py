"""Parameters: every default lies within its own bounds, and a bad override is refused."""

from __future__ import annotations

import pytest

from aitbc.core import params


@pytest.mark.parametrize("key", sorted(params.REGISTRY))
def test_the_default_is_within_bounds(key):
    param = params.REGISTRY[key]

    assert param.bounded(param.default) == param.default


@pytest.mark.parametrize("value", [-1, 1501, 1.5, True, "300"])
def test_a_fee_out_of_bounds_or_of_the_wrong_type_is_refused(value):
    with pytest.raises(ValueError):
        params.REGISTRY["market.fee_bp"].bounded(value)


def test_an_override_from_the_environment_wins(monkeypatch):
    monkeypatch.setenv("AITBC_PARAMS", '{"market.fee_bp": 250}')
    params.overrides.cache_clear()
    try:
        assert params.get("market.fee_bp") == 250
        assert params.get("jobs.max_attempts") == 3
    finally:
        params.overrides.cache_clear()
