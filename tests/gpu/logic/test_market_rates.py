"""The median of what owners offer: no owner moves it by what it alone registers."""

from __future__ import annotations

from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from apps.gpu.logic.market_rates import Kind, MarketRate, OwnerRate, kind_of, market_rate

ANY = Kind("", 0, needs_gpu=False)
RATES = st.integers(0, 10**12)
OTHERS = st.dictionaries(st.sampled_from(["b", "c", "d", "e", "f"]), RATES, min_size=2)


def of_all(owner: str, rate: int) -> OwnerRate:
    return OwnerRate(owner, None, 0, rate)


def test_a_kind_is_what_sets_the_price() -> None:
    assert kind_of({"gpu": None, "gpu_count": 0, "min_vram_mb": 0}) == ANY
    assert kind_of({"gpu": "RTX 4090", "gpu_count": 1, "min_vram_mb": 8192}) == Kind("rtx 4090", 8192, needs_gpu=True)
    assert kind_of({"gpu_count": 2, "miner_id": "x", "region": "eu"}) == Kind("", 0, needs_gpu=True)


def test_the_median_is_over_owners_of_the_kind_then_over_all() -> None:
    rates = [
        of_all("a", 1), of_all("b", 4), of_all("c", 9),
        OwnerRate("a", "H200", 141_000, 7), OwnerRate("b", "H200", 141_000, 4), OwnerRate("b", "h200", 141_000, 5),
        OwnerRate("c", "T4", 16_000, 9), OwnerRate("c", "", 0, 9),
    ]  # fmt: skip

    assert market_rate(rates, ANY) == MarketRate(4, owners=3)
    assert market_rate(rates, Kind("h200", 0, needs_gpu=True)) == MarketRate(5, owners=2)  # of 7 and 4
    assert market_rate(rates, Kind("", 100_000, needs_gpu=True)) == MarketRate(5, owners=2)
    assert market_rate(rates, Kind("", 8_000, needs_gpu=True)) == MarketRate(7, owners=3)
    assert market_rate(rates, Kind("tpu", 0, needs_gpu=True)) == MarketRate(4, owners=3)
    assert market_rate([], ANY) is None


@given(OTHERS, st.lists(RATES, min_size=1))
def test_however_many_miners_one_owner_registers_the_median_stays_among_the_others(others, own) -> None:
    found = market_rate([of_all("a", rate) for rate in own] + [of_all(*one) for one in others.items()], ANY)

    assert found is not None and found.owners == len(others) + 1
    assert found.median == int(median([min(own), *others.values()]))
    assert min(others.values()) <= found.median <= max(others.values())
