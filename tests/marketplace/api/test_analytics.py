"""Market analytics: right, suppressed where they would give a provider away, and public."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.marketplace.invariants.prices import prices_follow_from_bookings
from apps.marketplace.models import PriceTick
from apps.marketplace.selectors import analytics
from apps.marketplace.services import prices
from tests.marketplace.factories import AIT, a_booking, an_offer, hours

PATH = "/marketplace/v1/marketplace/analytics"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def traded(*prices_: int, at: datetime = NOON, length: float = 1.0, **fields):
    """One booking of an hour by a provider of its own at each price, ten minutes apart, and its tick."""
    made = []
    for n, price in enumerate(prices_):
        since = at + timedelta(minutes=10 * n)
        made.append(a_booking(an_offer(price=price, **fields), since=since, until=since + hours(length)))
    prices.record_trades(made)
    return made


def fetched(api, what: str, **query: str):
    text = "&".join(f"{name.rstrip('_')}={quote(value)}" for name, value in query.items())
    return api.json("GET", f"{PATH}/{what}?{text}", status=200)


def numbers_in(answer):
    return {name: value for name, value in answer.items() if value is not None}


DAY = {"from_": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"}


def test_trades_have_open_high_low_close_volume_and_percentiles(anonymous_api):
    traded(2 * AIT, 5 * AIT, AIT, 3 * AIT)

    (bucket,) = fetched(anonymous_api, "prices", gpu_model="geforce rtx 4090", **DAY)["items"]

    assert bucket["at"] == "2026-11-20T12:00:00Z"
    trades = bucket["trades"]
    shown = [trades[name] for name in ("open", "high", "low", "close")]
    assert shown == ["2.000000", "5.000000", "1.000000", "3.000000"]
    assert (trades["n"], trades["volume_gpu_hours"], trades["vwap"], trades["p50"]) == (4, 4.0, "2.750000", "2.500000")


def test_the_mean_is_weighted_by_hours_used(anonymous_api):
    traded(AIT, AIT)
    traded(4 * AIT, at=NOON + timedelta(minutes=30), length=2)

    (bucket,) = fetched(anonymous_api, "prices", **DAY)["items"]

    assert bucket["trades"]["vwap"] == "2.500000"


def test_fewer_than_three_providers_are_suppressed(anonymous_api):
    traded(AIT, 2 * AIT)

    (bucket,) = fetched(anonymous_api, "prices", **DAY)["items"]

    assert numbers_in(bucket["trades"]) == {"n": 2, "suppressed": True}
    assert bucket["asks"] is None


def test_asks_are_noted_once_an_hour_and_the_last_look_counts(anonymous_api):
    offers = [an_offer(price=n * AIT) for n in (1, 2, 3)]
    an_offer(price=50 * AIT, state="paused")
    an_offer(price=60 * AIT, rentable=False)

    assert prices.record_asks(now=NOON + timedelta(minutes=5)) == 3
    assert prices.record_asks(now=NOON + timedelta(minutes=55)) == 0

    (bucket,) = fetched(anonymous_api, "prices", interval="1d", **DAY)["items"]
    assert (bucket["asks"]["n"], bucket["asks"]["min"], bucket["asks"]["p50"], bucket["asks"]["max"]) == (
        3, "1.000000", "2.000000", "3.000000",
    )  # fmt: skip
    assert {tick.ref for tick in PriceTick.objects.all()} == {offer.pk for offer in offers}


def test_cells_do_not_mix(anonymous_api):
    traded(AIT, AIT, AIT, region="de")
    traded(9 * AIT, 9 * AIT, 9 * AIT, region="us")
    traded(7 * AIT, 7 * AIT, 7 * AIT, gpu_model="H100 SXM")

    found = fetched(anonymous_api, "prices", gpu_model="GeForce RTX 4090", region="us", **DAY)["items"]

    assert [bucket["trades"]["p50"] for bucket in found] == ["9.000000"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("from=2026-11-21T00:00:00Z&to=2026-11-20T00:00:00Z", 400),
        ("from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z&interval=1h", 400),
        ("interval=5m", 400),
        ("from=yesterday", 400),
        ("colour=red", 400),
        ("gpu_model=RTX 9999", 404),
        ("gpu_model=%00", 400),
    ],
)
def test_questions_that_make_no_sense_are_refused(anonymous_api, query, status):
    traded(AIT)

    assert anonymous_api.get(f"{PATH}/prices?{query}").status_code == status


def test_an_unknown_model_names_the_nearest(anonymous_api):
    traded(AIT)

    assert anonymous_api.json("GET", f"{PATH}/prices?gpu_model=RTX 4080", status=404)["suggestions"] == [
        "GeForce RTX 4090"
    ]


def test_utilisation_is_the_share_of_offered_time_in_use(anonymous_api):
    offers = [an_offer(since=NOON) for _ in range(3)]
    a_booking(offers[0], since=NOON, until=NOON + hours(1))
    a_booking(offers[1], since=NOON + hours(0.5), until=NOON + hours(1.5))

    found = fetched(
        anonymous_api, "utilisation", gpu_model="GeForce RTX 4090",
        from_="2026-11-20T11:00:00Z", to="2026-11-20T14:00:00Z",
    )["items"]  # fmt: skip

    assert [bucket["utilisation"] for bucket in found] == [None, 0.5, pytest.approx(1 / 6, abs=1e-4)]
    assert [bucket["offered_gpu_hours"] for bucket in found] == [0, 3, 3]


def test_two_offers_over_one_card_are_one_cards_time(anonymous_api):
    one = an_offer(since=NOON)
    an_offer(since=NOON, slots=one.slots)
    an_offer(since=NOON)

    first, *_ = fetched(
        anonymous_api, "utilisation", from_="2026-11-20T12:00:00Z", to="2026-11-20T13:00:00Z"
    )["items"]  # fmt: skip

    assert first["offered_gpu_hours"] == 2


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spans=st.lists(st.tuples(st.integers(0, 300), st.integers(1, 120)), min_size=1, max_size=8))
def test_utilisation_equals_counting_minute_by_minute(db, spans):
    now = NOON + hours(8)
    region = f"r{timezone.now().timestamp()}"[:64]
    offers = [an_offer(since=NOON, region=region) for _ in range(3)]
    busy = [set() for _ in offers]
    for n, (start, length) in enumerate(spans):
        minutes = set(range(start, start + length))
        if busy[n % 3] & minutes:
            continue
        busy[n % 3] |= minutes
        a_booking(offers[n % 3], since=NOON + timedelta(minutes=start), until=NOON + timedelta(minutes=start + length))

    found = analytics.utilisation(analytics.Span(NOON, now, timedelta(hours=1), region=region))

    for hour, bucket in enumerate(found):
        within = set(range(60 * hour, 60 * hour + 60))
        used = sum(len(minutes & within) for minutes in busy)
        assert bucket["booked_gpu_hours"] == pytest.approx(used / 60, abs=2e-3)


def test_liquidity_counts_depth_and_concentration(anonymous_api):
    for gpus in (1, 1, 2):
        an_offer(gpus=gpus)

    found = fetched(anonymous_api, "liquidity", gpu_model="GeForce RTX 4090")

    shares = [100 * gpus / 4 for gpus in (1, 1, 2)]
    assert (found["providers"], found["open_offers"], found["open_gpus"]) == (3, 3, 4)
    assert found["hhi"] == round(sum(share**2 for share in shares))
    assert found["median_time_to_award_s"] is None


def test_liquidity_of_two_providers_is_suppressed(anonymous_api):
    an_offer()
    an_offer()

    assert numbers_in(fetched(anonymous_api, "liquidity")) == {"suppressed": True}


def test_the_summary_speaks_both_generations_words(anonymous_api):
    now = timezone.now()
    made = [a_booking(an_offer(price=n * AIT), since=now - hours(2), until=now - hours(1)) for n in (1, 3)]
    a_booking(made[0].offer, since=now - hours(1), until=now, outcome="no_show")

    found = anonymous_api.json("GET", PATH, status=200)
    weekly = anonymous_api.json("GET", f"{PATH}/summary?period_type=weekly", status=200)

    assert (found["listed_offers"], found["bookings"], found["booked_gpu_hours"]) == (2, 3, 3.0)
    assert (found["average_price_gpu_hour"], found["average_price"]) == ("2.000000", 2.0)
    assert found["success_rate"] == pytest.approx(2 / 3, abs=1e-4)
    assert (found["period_type"], weekly["period_type"]) == ("daily", "weekly")
    assert found["volume"] == "5.000000" and found["total_volume"] == 5.0


def test_performance_is_measured_not_constant(anonymous_api):
    empty = anonymous_api.json("GET", "/marketplace/v1/marketplace/performance", status=200)
    now = timezone.now()
    offer = an_offer(since=now - hours(4))
    a_booking(offer, since=now - hours(2), until=now - hours(1), starts_at=now - hours(2) - timedelta(seconds=30))

    found = anonymous_api.json("GET", "/marketplace/v1/marketplace/performance?period=daily", status=200)

    assert (empty["bookings"], empty["success_rate"]) == (0, None)
    assert (found["bookings"], found["success_rate"]) == (1, 1.0)
    assert found["utilisation"] == pytest.approx(0.25, abs=0.01)


def test_percentiles_agree_with_a_plain_count():
    values = [3, 9, 4, 1, 7, 7, 2]
    traded(*[n * AIT for n in values])

    (bucket,) = analytics.prices(analytics.Span(NOON, NOON + hours(2), timedelta(hours=1)))[:1]

    quartiles = statistics.quantiles([n * AIT for n in values[:6]], n=4, method="inclusive")
    assert [bucket["trades"][name] for name in ("p25", "p50", "p75")] == [round(q) for q in quartiles]


def test_ticks_can_be_made_again_from_bookings():
    traded(AIT, 2 * AIT)

    assert list(prices_follow_from_bookings()) == []


def test_a_missing_and_a_false_tick_are_reported():
    first, second = traded(AIT), a_booking(an_offer(), since=NOON, until=NOON + hours(1))
    forged = prices.tick_of(second)
    forged.price_gpu_hour += 1
    forged.save()
    unknown = a_booking(an_offer(), since=NOON, until=NOON + hours(1))

    found = sorted(prices_follow_from_bookings())

    assert len(found) == 2 and first
    assert any(str(second.pk) in line and "disagree" in line for line in found)
    assert any(str(unknown.pk) in line and "no price tick" in line for line in found)
