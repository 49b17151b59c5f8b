"""Five deadlines, five outcome codes; ai enforces two of them, gpu's three arrive as lost leases. And gpu's own."""

from datetime import timedelta

import pytest
from django.utils import timezone

from aitbc.core.db import atomic
from apps.ai import tasks
from apps.ai.models import AIJob, Outbox
from apps.ai.services import deadlines, reconciliation, results
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


def test_a_job_tried_in_vain_times_out_as_a_whole(client_api, miner, drain):
    job = running(client_api, miner, ttl_seconds=100)
    publish(miner.loses(job, "miner_gone"))

    assert deadlines.expire_overdue(now=later(seconds=101)) == 1
    drain()

    assert (row(job).state, row(job).outcome) == ("expired", "total_timeout")


def test_a_job_whose_money_is_never_held_times_out_as_a_whole(client_api):
    fund(client_api)
    job = submit(client_api, payment_amount="1", ttl_seconds=10)

    deadlines.expire_overdue(now=later(seconds=11))

    assert (row(job).state, row(job).outcome) == ("expired", "total_timeout")


def test_a_result_accepted_in_time_wins_over_the_total_timeout(client_api, miner, drain):
    job = running(client_api, miner, ttl_seconds=10)

    assert deadlines.expire_overdue(now=later(seconds=60)) == 1
    assert row(job).state == "cancelling"
    with atomic(AIJob):
        results.accept([miner.completes(job, "in time, delivered late")])
    drain()

    assert state(client_api, job) == "settled"


def test_a_running_job_expires_once_gpu_has_let_go_of_it(client_api, miner, drain):
    job = running(client_api, miner, payment_amount="1", ttl_seconds=10)

    deadlines.expire_overdue(now=later(seconds=60))
    drain()

    assert (row(job).state, row(job).outcome, row(job).refunded) == ("expired", "total_timeout", 1_000_000)


def test_without_gpus_answer_a_cancelled_job_ends_at_its_deadline_and_costs_nothing(client_api, miner, drain):
    job = running(client_api, miner, payment_amount="1")
    client_api.json("POST", f"/ai/jobs/{job['id']}/cancel", status=200)
    Outbox.objects.all().delete()  # the request is lost, and so would be its repetition

    assert deadlines.expire_overdue(now=later(minutes=9)) == 0
    assert deadlines.expire_overdue(now=later(minutes=11)) == 1
    drain()

    assert (row(job).state, row(job).outcome, row(job).refunded) == ("cancelled", "platform_fault", 1_000_000)
    assert "full refund" in row(job).error


def test_a_lost_request_to_gpu_is_repeated(client_api, miner, drain):
    job = running(client_api, miner)
    client_api.json("POST", f"/ai/jobs/{job['id']}/cancel", status=200)
    Outbox.objects.all().delete()

    assert reconciliation.reconcile(grace=timedelta(0)) == 1
    assert reconciliation.reconcile(grace=timedelta(0)) == 0  # it is on its way
    drain()

    assert row(job).state == "cancelled"


def test_the_sweep_ends_many_and_does_nothing_the_second_time(client_api, drain):
    jobs = [submit(client_api, queue_seconds=1) for _ in range(7)]

    assert deadlines.expire_overdue(now=later(seconds=5), limit=5) == 5
    assert deadlines.expire_overdue(now=later(seconds=5), limit=5) == 2
    assert deadlines.expire_overdue(now=later(seconds=5)) == 0
    drain()
    assert {row(job).state for job in jobs} == {"expired"}
    assert {row(job).outcome for job in jobs} == {"queue_timeout"}
    assert tasks.expire_overdue() == 0
