"""Prices that move by themselves: bounded, held in thin markets, explained."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.marketplace.logic.price_dynamics import HIGHEST, LARGEST_STEP, LOWEST, moved, priced, smoothed, stepped
from apps.marketplace.models import MarketplaceOffer, OfferRevision, PriceCell
from apps.marketplace.services import price_updates
from tests.marketplace.factories import AIT, a_booking, an_offer, hours

PATH = "/marketplace/v1/marketplace"
DYNAMIC = MarketplaceOffer.Pricing.DYNAMIC


@pytest.mark.no_db
@given(m=st.floats(LOWEST, HIGHEST), u=st.floats(0, 1), k=st.floats(0, 2), target=st.floats(0.3, 0.95))
def test_a_step_is_bounded_and_goes_the_right_way(m, u, k, target):
    after = moved(m, u, k=k, target=target)

    assert LOWEST <= after <= HIGHEST
    assert m * (1 - LARGEST_STEP) - 1e-9 <= after <= m * (1 + LARGEST_STEP) + 1e-9
    if u > target:
        assert after >= min(m, HIGHEST)
    if u < target:
        assert after <= max(m, LOWEST)


@pytest.mark.no_db
@given(
    base=st.integers(1, 10**12), m=st.floats(LOWEST, HIGHEST),
    floor=st.none() | st.integers(0, 10**12), more=st.none() | st.integers(0, 10**12),
)  # fmt: skip
def test_a_price_stays_within_its_providers_bounds(base, m, floor, more):
    ceiling = None if more is None else (floor or 0) + more

    price = priced(base, m, floor, ceiling)

    assert price >= max(floor or 0, 1)
    assert ceiling is None or price <= max(ceiling, 1)


@pytest.mark.no_db
def test_the_average_is_halfway_after_its_half_life():
    assert smoothed(0.0, 1.0, 1800) == pytest.approx(0.5)
    assert smoothed(0.2, 1.0, 0) == pytest.approx(0.2)


@pytest.mark.no_db
def test_the_predecessors_steps():
    assert [stepped(ratio) for ratio in (2, 1.2, 0.8, 0.3)] == [1.2, 1.1, 1.0, 0.9]


def busy_market(providers: int, now, *, busy: int):
    offers = [an_offer(pricing=DYNAMIC, ceiling=int(1.01 * AIT) if n == 0 else None) for n in range(providers)]
    for offer in offers[:busy]:
        a_booking(offer, since=now - hours(1), until=now + hours(1), state="active", ended_at=None, outcome="")
    return offers


def test_a_busy_market_gets_dearer_step_by_step():
    now = timezone.now()
    capped, free, idle = busy_market(3, now, busy=3)
    fixed = an_offer()
    a_booking(fixed, since=now - hours(1), until=now + hours(1), state="active", ended_at=None, outcome="")

    changed = price_updates.move_prices(now=now)

    cell = PriceCell.objects.get()
    assert (changed, cell.providers, cell.held) == (3, 4, False)
    assert cell.utilisation == pytest.approx(1.0)
    prices = dict(MarketplaceOffer.objects.values_list("pk", "price_gpu_hour"))
    assert prices[free.pk] == prices[idle.pk] == round(AIT * cell.multiplier) == 1_125_000  # e^0.125, bounded
    assert prices[capped.pk] == int(1.01 * AIT)
    assert prices[fixed.pk] == AIT
    revision = OfferRevision.objects.get(offer=free)
    assert revision.changes == {"price_gpu_hour": ["1.000000", "1.125000"]}
    assert "factor" in revision.reason


def test_an_idle_market_gets_cheaper_but_never_below_the_floor():
    now = timezone.now()
    busy_market(3, now, busy=0)
    floored = an_offer(pricing=DYNAMIC, floor=AIT)

    price_updates.move_prices(now=now)

    assert PriceCell.objects.get().multiplier < 1
    assert MarketplaceOffer.objects.get(pk=floored.pk).price_gpu_hour == AIT


def test_a_thin_market_holds_its_prices():
    now = timezone.now()
    offers = busy_market(2, now, busy=2)

    assert price_updates.move_prices(now=now) == 0

    assert PriceCell.objects.get().held
    assert set(MarketplaceOffer.objects.values_list("price_gpu_hour", flat=True)) == {AIT}
    assert not OfferRevision.objects.filter(offer__in=offers).exists()


def test_a_market_without_dynamic_offers_has_no_cell():
    an_offer()

    price_updates.move_prices()

    assert not PriceCell.objects.exists()


def test_steps_build_on_each_other():
    now = timezone.now()
    busy_market(3, now, busy=3)

    price_updates.move_prices(now=now)
    first = PriceCell.objects.get().multiplier
    price_updates.move_prices(now=now + timedelta(minutes=5))

    assert PriceCell.objects.get().multiplier > first > 1


def test_cells_are_public(anonymous_api):
    busy_market(3, timezone.now(), busy=3)
    price_updates.move_prices()

    (cell,) = anonymous_api.json("GET", f"{PATH}/analytics/cells?gpu_model=GeForce RTX 4090", status=200)["items"]

    assert cell["multiplier"] > 1 and not cell["held"]
    assert anonymous_api.json("GET", f"{PATH}/analytics/cells?gpu_model=x", status=200)["items"] == []


def test_a_suggestion_follows_the_stated_demand_or_the_markets_own_factor(anonymous_api):
    offer = busy_market(3, timezone.now(), busy=3)[1]
    price_updates.move_prices()
    offer.refresh_from_db()

    own = anonymous_api.json("POST", f"{PATH}/dynamic-pricing?offer_id={offer.pk}", status=200)
    suggestion = anonymous_api.json(
        "POST", f"{PATH}/dynamic-pricing?offer_id={offer.pk}&current_demand=4&current_supply=2", status=200
    )

    assert own["basis"] == "market" and own["suggested_price"] == pytest.approx(offer.price_gpu_hour / AIT)
    assert suggestion["price_multiplier"] == 1.2 and suggestion["suggested_price"] == pytest.approx(1.2)
    assert MarketplaceOffer.objects.get(pk=offer.pk).price_gpu_hour == offer.price_gpu_hour


def test_a_suggestion_for_nothing_is_404(anonymous_api):
    assert anonymous_api.post(f"{PATH}/dynamic-pricing?offer_id=none").status_code == 404
    assert anonymous_api.post(f"{PATH}/dynamic-pricing").status_code == 400
    assert anonymous_api.post(f"{PATH}/dynamic-pricing?offer_id=x&current_demand=-1").status_code == 400
