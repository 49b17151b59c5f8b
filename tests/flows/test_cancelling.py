"""A cancel, a deletion or a deadline against a result, and what a miner that fell silent is paid for."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.utils import timezone

from aitbc.core.messaging.relay import drain
from apps.ai.models import AIJob
from apps.ai.services import deadlines
from apps.gpu.models import Lease, Miner, Work
from apps.gpu.services import lease_expiry, silent_miners
from apps.marketplace.models import GPUBooking, PriceTick
from apps.marketplace.services import metering
from tests.flows.exchange import MINER, Exchange
from tests.flows.test_booked_job import Market, beat
from tests.sabotage import sabotage

RATE = 3_600_000  # micro-AIT per hour: the miner's price, 1,000 per second


@pytest.fixture
def paid(exchange: Exchange) -> Exchange:
    exchange.fund("10")
    exchange.register()
    return exchange


@pytest.fixture
def market(exchange: Exchange) -> Market:
    exchange.register()
    return Market(exchange)


def result_of(exchange: Exchange, work: Any, status: int = 200) -> None:
    """The miner's result, without the relay: nobody else has heard of it yet."""
    body = {"result": {"output": "x"}, "attempt": work["attempt"]}
    path = f"/gpu/v1/miners/{work['job_id']}/result"
    exchange.miner.json("POST", path, body, status=status, x_miner_id=MINER)


def cancel(exchange: Exchange, job: Any) -> Any:
    return exchange.client.json("POST", f"/ai/jobs/{job['id']}/cancel", status=200)


def row(job: Any) -> AIJob:
    return AIJob.objects.get(pk=job["id"])


def delete(exchange: Exchange, job: Any) -> None:
    exchange.operator.json("DELETE", f"/ai/admin/jobs/{job['id']}", {"reason": "test"}, status=200)


def expire(exchange: Exchange, job: Any) -> None:
    deadlines.expire_overdue(now=timezone.now() + timedelta(hours=2))


@pytest.mark.parametrize("against", [cancel, delete, expire])
def test_an_accepted_result_wins_over_what_ends_the_job_later(paid: Exchange, against: Any) -> None:
    job = paid.submit("1")
    result_of(paid, paid.poll())

    against(paid, job)
    paid.drain()

    ended = row(job)
    assert (ended.state, ended.outcome) == ("settled", "")
    assert ended.paid + ended.fee > 0 and ended.receipt_id
    assert ended.paid + ended.fee + ended.refunded == 1_000_000


@pytest.mark.parametrize("against", [cancel, delete, expire])
def test_a_result_after_gpu_heard_of_the_end_is_refused(paid: Exchange, against: Any) -> None:
    job = paid.submit("1")
    work = paid.poll()

    against(paid, job)
    paid.drain()

    result_of(paid, work, status=409)
    paid.drain()
    ended = row(job)
    assert ended.state in ("cancelled", "expired")
    assert ended.paid + ended.fee + ended.refunded == 1_000_000


def test_a_queued_job_that_gpu_has_leased_meanwhile_is_cancelled_as_started(paid: Exchange) -> None:
    """The grant, the cancel and the answer cross each other."""
    job = paid.submit("1")
    paid.miner.json("POST", "/gpu/v1/miners/poll", {"max_wait_seconds": 0}, x_miner_id=MINER)
    assert row(job).state == "queued"

    cancel(paid, job)
    paid.drain()

    ended = row(job)
    assert (ended.state, ended.outcome, ended.attempt) == ("cancelled", "cancelled_after_start", 1)


def test_a_job_whose_attempt_failed_before_gpu_heard_of_the_cancel_is_cancelled_as_started(paid: Exchange) -> None:
    job = paid.submit("1")
    work = paid.poll()

    cancel(paid, job)
    body = {"error": {"code": "ENGINE_ERROR", "message": "x"}, "attempt": work["attempt"]}
    paid.miner.json("POST", f"/gpu/v1/miners/{job['id']}/fail", body, status=200, x_miner_id=MINER)
    paid.drain()

    ended = row(job)
    assert (ended.state, ended.outcome, ended.attempt) == ("cancelled", "cancelled_after_start", 1)
    assert (ended.paid, ended.fee, ended.refunded) == (0, 0, 1_000_000)


def test_a_job_that_waits_for_its_second_attempt_is_cancelled_as_started(paid: Exchange) -> None:
    job = paid.submit("1")
    paid.fail(paid.poll(), "ENGINE_ERROR")
    paid.drain()
    assert (row(job).state, row(job).attempt) == ("queued", 1)

    cancel(paid, job)
    paid.drain()

    assert (row(job).outcome, row(job).refunded) == ("cancelled_after_start", 1_000_000)
    (last,) = paid.client.json("GET", f"/ai/jobs/{job['id']}/events", status=200)["items"][-1:]
    assert last["detail"]["attempt"] == 1


def test_the_job_waits_for_gpu_when_it_is_away_and_ends_when_it_is_back(paid: Exchange) -> None:
    job = paid.submit("1")
    paid.poll()

    assert cancel(paid, job)["state"] == "cancelling"
    assert cancel(paid, job)["state"] == "cancelling"
    paid.drain()

    assert row(job).state == "cancelled"
    assert cancel(paid, job)["state"] == "cancelled"


@pytest.mark.transaction
def test_many_races_of_a_result_and_a_cancel_pay_for_a_result_or_lose_it_together(paid: Exchange) -> None:
    for _ in range(12):
        job = paid.submit("0.5")
        work = paid.poll()
        barrier, status = threading.Barrier(3), {}

        def deliver(work: Any = work, barrier: threading.Barrier = barrier, status: dict[str, int] = status) -> None:
            barrier.wait()
            body = {"result": {"output": "x"}, "attempt": work["attempt"]}
            path = f"/gpu/v1/miners/{work['job_id']}/result"
            status["result"] = paid.miner.post(path, body, x_miner_id=MINER).status_code
            connections.close_all()

        def give_up(job: Any = job, barrier: threading.Barrier = barrier, status: dict[str, int] = status) -> None:
            barrier.wait()
            status["cancel"] = paid.client.post(f"/ai/jobs/{job['id']}/cancel", {}).status_code
            connections.close_all()

        threads = [threading.Thread(target=one) for one in (deliver, give_up)]
        for thread in threads:
            thread.start()
        barrier.wait()
        drain()
        for thread in threads:
            thread.join()
        drain()

        ended = row(job)
        assert status["cancel"] in (200, 409)
        assert (ended.state == "settled") == (status["result"] == 200), (ended.state, status)
        assert ended.paid + ended.fee + ended.refunded == 500_000


def fall_silent(since: timedelta, granted: timedelta) -> None:
    """The miner's last heartbeat and the grant of its lease lie so long ago."""
    now = timezone.now()
    Miner.objects.update(last_heartbeat=now - since)
    Lease.objects.filter(state="leased").update(granted_at=now - granted, started_at=now - granted)


def test_a_cancelled_job_pays_a_dead_miner_to_its_last_heartbeat(paid: Exchange) -> None:
    job = paid.submit("1")
    paid.poll()
    fall_silent(since=timedelta(seconds=49), granted=timedelta(seconds=57))

    cancel(paid, job)
    paid.drain()

    ended, lease = row(job), Lease.objects.get()
    assert 8_000 <= ended.billable_ms <= 8_100 and lease.metered_ms == ended.billable_ms
    assert ended.paid + ended.fee == ended.billable_ms * RATE // 3_600_000


def test_a_cancelled_job_pays_a_living_miner_to_the_moment(paid: Exchange) -> None:
    job = paid.submit("1")
    paid.poll()
    fall_silent(since=timedelta(seconds=10), granted=timedelta(seconds=57))

    cancel(paid, job)
    paid.drain()

    assert 57_000 <= row(job).billable_ms <= 60_000


def test_a_lost_lease_is_metered_to_the_last_heartbeat(paid: Exchange) -> None:
    paid.submit("1", max_attempts=1)
    paid.poll()
    fall_silent(since=timedelta(seconds=61), granted=timedelta(seconds=70))
    Lease.objects.update(lease_until=timezone.now())

    lease_expiry.expire_leases()
    paid.drain()

    assert 9_000 <= Lease.objects.get().metered_ms <= 9_100


def age(market: Market, active: timedelta, heard: timedelta) -> GPUBooking:
    """The booking has been active for so long, and its miner was heard so long ago."""
    now = timezone.now()
    GPUBooking.objects.filter(pk=market.id).update(starts_at=now - active, activated_at=now - active)
    sabotage(PriceTick, f"UPDATE marketplace_pricetick SET at = '{now - active}'")
    Miner.objects.update(last_heartbeat=now - heard)
    return GPUBooking.objects.get(pk=market.id)


def test_a_booking_is_metered_and_paid_to_the_dead_miners_last_heartbeat(market: Market) -> None:
    market.reserve()
    market.begin()
    age(market, active=timedelta(seconds=90), heard=timedelta(seconds=80))

    metering.run(now=timezone.now())
    assert GPUBooking.objects.get().metered_ms in range(10_000, 10_100)
    Miner.objects.update(state="suspect")
    silent_miners.watch_miners()
    market.exchange.drain()

    booking = GPUBooking.objects.get(pk=market.id)
    assert booking.outcome == "failed_hardware"
    assert booking.metered_ms in range(10_000, 10_100)
    assert booking.paid + booking.fee == booking.owed == booking.metered_ms * 1_000_000 // 3_600_000
    assert booking.paid + booking.fee + booking.refunded == booking.escrow


def test_ending_a_booking_pays_nothing_for_the_time_after_the_miners_death(market: Market) -> None:
    market.reserve()
    market.begin()
    age(market, active=timedelta(seconds=90), heard=timedelta(seconds=80))

    market.close()

    booking = GPUBooking.objects.get(pk=market.id)
    assert (booking.state, booking.outcome) == ("settled", "ended")
    assert booking.metered_ms in range(10_000, 10_100)


def test_ending_a_booking_with_a_living_miner_pays_to_the_moment(market: Market) -> None:
    market.reserve()
    market.begin()
    age(market, active=timedelta(seconds=90), heard=timedelta(seconds=10))

    market.close()

    assert GPUBooking.objects.get(pk=market.id).metered_ms in range(90_000, 95_000)


def test_a_silent_miners_booking_does_not_keep_the_meter_busy(market: Market) -> None:
    market.reserve()
    market.begin()
    age(market, active=timedelta(seconds=200), heard=timedelta(seconds=190))

    assert metering.run(now=timezone.now()) == 1
    assert metering.run(now=timezone.now()) == 0
    beat(market.exchange)
    assert metering.run(now=timezone.now()) == 1
    market.close()


ENDINGS = {
    "refused before the start": "cancel_waiting",
    "cancelled while it runs": "cancel_running",
    "deleted while it runs": "delete_running",
    "expired in the queue": "expire_waiting",
    "expired while it runs": "expire_running",
    "bad input": "bad_input",
    "engine error": "engine_error",
    "lost": "lost",
    "succeeded": "succeeded",
}


def end_as(exchange: Exchange, job: Any, how: str) -> None:
    act, _, when = how.partition("_")
    work = exchange.poll() if when != "waiting" else None
    Lease.objects.update(granted_at=timezone.now() - timedelta(seconds=20))
    if act in ("cancel", "delete", "expire"):
        {"cancel": cancel, "delete": delete, "expire": expire}[act](exchange, job)
    elif how == "lost":
        Lease.objects.update(lease_until=timezone.now())
        lease_expiry.expire_leases()
    elif how == "succeeded":
        exchange.deliver(work, {"output": "x"})
    else:
        exchange.fail(work, how.upper())
    exchange.drain()


@pytest.mark.parametrize("how", ENDINGS.values(), ids=ENDINGS.keys())
def test_paid_fee_and_refunded_are_what_was_held_however_a_job_ends(paid: Exchange, how: str) -> None:
    job = paid.submit("0.75", max_attempts=1)

    end_as(paid, job, how)

    shown = AIJob.objects.get(pk=UUID(job["id"]))
    payment = paid.client.json("GET", f"/ai/jobs/{job['id']}/payment", status=200)
    assert shown.paid + shown.fee + shown.refunded == 750_000
    assert (shown.fee > 0) == (shown.paid > 0)
    assert payment["fee"] == f"{shown.fee / 1e6:.6f}"
    assert not Work.objects.waiting().exists()
