"""Five deadlines, five outcome codes; ai enforces two of them, gpu's three arrive as lost leases."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.ai import tasks
from apps.ai.services import deadlines
from tests.ai.factories import fund, publish, queued, row, running, state, submit


def later(**span):
    return timezone.now() + timedelta(**span)


def test_a_job_nobody_takes_expires_from_the_queue(client_api, drain):
    job = queued(client_api, payment_amount="1", queue_seconds=30, ttl_seconds=600)

    assert deadlines.expire_overdue(now=later(seconds=20)) == 0
    assert deadlines.expire_overdue(now=later(seconds=31)) == 1
    drain()

    view = client_api.json("GET", f"/ai/jobs/{job['id']}")
    assert (view["state"], view["outcome"], view["refunded"]) == ("expired", "queue_timeout", "1.000000")


@pytest.mark.parametrize("code", ["start_timeout", "heartbeat_timeout", "execution_timeout"])
def test_gpus_three_deadlines_keep_their_codes(client_api, miner, code):
    job = running(client_api, miner, max_attempts=1)

    publish(miner.loses(job, code))

    view = client_api.json("GET", f"/ai/jobs/{job['id']}")
    assert (view["state"], view["outcome"]) == ("dead", code)


def test_a_job_tried_in_vain_times_out_as_a_whole(client_api, miner):
    job = running(client_api, miner, ttl_seconds=100)
    publish(miner.loses(job, "miner_gone"))

    assert deadlines.expire_overdue(now=later(seconds=101)) == 1

    assert row(job).outcome == "total_timeout"


def test_a_job_whose_money_is_never_held_times_out_as_a_whole(client_api):
    fund(client_api)
    job = submit(client_api, payment_amount="1", ttl_seconds=10)

    deadlines.expire_overdue(now=later(seconds=11))

    assert (row(job).state, row(job).outcome) == ("expired", "total_timeout")


def test_a_running_job_is_not_expired_while_a_fact_of_gpu_may_be_under_way(client_api, miner):
    """gpu knows no live lease: a result it accepted in time may be on its way, and must not be lost."""
    job = running(client_api, miner, ttl_seconds=10)

    assert deadlines.expire_overdue(now=later(seconds=60)) == 0
    publish(miner.completes(job, "in time, delivered late"))

    assert state(client_api, job) == "settled"


def test_a_fact_that_never_comes_does_not_delay_expiry_for_ever(client_api, miner):
    job = running(client_api, miner, ttl_seconds=10)

    assert deadlines.expire_overdue(now=later(minutes=6)) == 1

    assert row(job).outcome == "total_timeout"


def test_the_sweep_ends_many_and_does_nothing_the_second_time(client_api):
    jobs = [submit(client_api, queue_seconds=1) for _ in range(7)]

    assert deadlines.expire_overdue(now=later(seconds=5), limit=5) == 5
    assert deadlines.expire_overdue(now=later(seconds=5), limit=5) == 2
    assert deadlines.expire_overdue(now=later(seconds=5)) == 0
    assert {row(job).outcome for job in jobs} == {"queue_timeout"}
    assert tasks.expire_overdue() == 0
