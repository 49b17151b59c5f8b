"""Uptime by the hour: the minutes with heartbeats among those in which the exchange was up."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.gpu.events import MinerHourJudged
from apps.gpu.models import Miner, MinerHour, WatchedHour
from apps.gpu.services import exchange_downtime, uptime
from tests.clients import Api
from tests.gpu.factories import beat, published, register

ALL = (1 << 60) - 1


def bits(*spans: tuple[int, int]) -> int:
    return sum(1 << minute for start, end in spans for minute in range(start, end))


@pytest.fixture
def hour(miner_api: Api, listen) -> datetime:
    """The hour before this one, not judged yet, of a registered miner."""
    listen(MinerHourJudged)
    register(miner_api)
    last = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    if timezone.now().minute == 0:
        last -= timedelta(hours=1)  # the first minute of an hour is left to late beats
    Miner.objects.update(judged_until=last)
    return last


def verdicts() -> list[tuple[str, bool]]:
    return [(one["hour"], one["met"]) for one in published(MinerHourJudged)]


def seen(hour: datetime, minutes: int) -> None:
    MinerHour.objects.create(miner_id=Miner.objects.get().pk, hour=hour, minutes=minutes)


@pytest.mark.parametrize(
    ("minutes", "watched", "verdict"),
    [
        (ALL, ALL, [True]),
        (bits((0, 54)), ALL, [True]),
        (bits((0, 53)), ALL, [False]),
        (0, ALL, [False]),
        (bits((0, 40)), bits((0, 40)), [True]),  # the exchange was away for the rest
        (0, bits((0, 40)), [False]),
        (bits((0, 29)), 0, []),  # too little to judge by
        (0, 0, []),
    ],
)
def test_an_hour_is_met_when_heard_in_nine_of_ten_watched_minutes(hour, minutes, watched, verdict):
    WatchedHour.objects.create(hour=hour, minutes=watched)
    if minutes:
        seen(hour, minutes)

    uptime.judge()

    assert verdicts() == [(hour.isoformat().replace("+00:00", "Z"), met) for met in verdict]


def test_an_hour_is_judged_once_however_often_the_beat_comes(hour):
    WatchedHour.objects.create(hour=hour, minutes=ALL)

    assert [uptime.judge(), uptime.judge()] == [1, 0]
    assert len(verdicts()) == 1


def test_without_a_sweep_other_miners_prove_that_the_exchange_was_there(hour):
    MinerHour.objects.create(miner_id=uuid4(), hour=hour, minutes=ALL)
    seen(hour, bits((0, 30)))

    uptime.judge()

    assert [met for _, met in verdicts()] == [False]


def test_hours_missed_by_the_judge_are_made_up_for(hour):
    for back in range(5):
        WatchedHour.objects.create(hour=hour - timedelta(hours=back), minutes=ALL)
        seen(hour - timedelta(hours=back), ALL if back % 2 else 0)
    Miner.objects.update(judged_until=hour - timedelta(hours=4))

    uptime.judge()

    assert [met for _, met in verdicts()] == [False, True, False, True, False]


def test_a_miner_silent_for_a_week_is_judged_no_further(hour):
    Miner.objects.update(last_heartbeat=timezone.now() - timedelta(days=9), judged_until=hour - timedelta(days=1))
    for back in range(30):
        WatchedHour.objects.create(hour=hour - timedelta(hours=back), minutes=ALL)

    uptime.judge()

    assert verdicts() == []


def test_a_new_miner_is_judged_from_the_next_full_hour_on(miner_api: Api, listen):
    listen(MinerHourJudged)
    register(miner_api)

    uptime.judge()

    assert Miner.objects.get().judged_until > timezone.now()
    assert verdicts() == []


def test_heartbeats_and_the_sweep_write_the_evidence(miner_api: Api):
    register(miner_api)
    before = timezone.now()
    beat(miner_api)
    exchange_downtime.tick()
    exchange_downtime.tick()

    minutes = {1 << before.minute, 1 << timezone.now().minute}
    assert MinerHour.objects.get().minutes in minutes
    assert WatchedHour.objects.get().minutes in {*minutes, sum(minutes)}
    Miner.objects.update(noted_at=None)
    beat(miner_api)
    assert MinerHour.objects.get().minutes in {*minutes, sum(minutes)}


def test_expired_evidence_is_forgotten(hour):
    seen(hour, 1)
    seen(hour - timedelta(days=40), 1)
    WatchedHour.objects.create(hour=hour - timedelta(days=40), minutes=1)

    uptime.forget()

    assert MinerHour.objects.count() == 1 and WatchedHour.objects.count() == 0


@pytest.mark.no_db
@given(st.integers(0, 60), st.integers(0, 60))
def test_more_heard_minutes_never_make_a_met_hour_a_missed_one(minutes, there):
    assert not uptime.is_met(minutes, there) or uptime.is_met(minutes + 1, there)
