"""Cancelling a job, alone and in a race with the grant, the result and the payment."""

import threading

import pytest
from django.db import connections

from aitbc.core.db import atomic
from aitbc.core.errors import StateConflict
from apps.ai.models import AIJob, AIJobResult
from apps.ai.services import attempts, jobs, results
from apps.gpu.models import Work
from tests.ai.factories import fund, publish, queued, row, running, state, states_of, submit


def cancel(api, job, status=200):
    return api.json("POST", f"/ai/jobs/{job['id']}/cancel", status=status)


def test_a_waiting_job_is_cancelled_and_withdrawn_from_gpu(client_api, drain):
    job = queued(client_api)

    assert cancel(client_api, job)["state"] == "cancelled"
    drain()

    assert not Work.objects.filter(job_id=job["id"], state="waiting").exists()


def test_a_second_cancel_changes_nothing(client_api):
    job = queued(client_api)

    first, second = cancel(client_api, job), cancel(client_api, job)

    assert first == second
    assert states_of(job) == ["queued", "cancelled"]


def test_a_job_that_ended_cannot_be_cancelled_and_says_so(client_api, miner):
    job = running(client_api, miner)
    publish(miner.completes(job, 1))

    problem = cancel(client_api, job, status=409)

    assert (problem["state"], problem["allowed"]) == ("settled", [])


def test_cancel_before_the_payment_is_held_gives_it_back(client_api, drain):
    fund(client_api)
    job = submit(client_api, payment_amount="1")

    cancel(client_api, job)
    drain()

    view = client_api.json("GET", f"/ai/jobs/{job['id']}")
    assert (view["state"], view["payment_status"], view["refunded"]) == ("cancelled", "refunded", "1.000000")


def test_cancel_meets_grant_and_the_grant_comes_to_nothing(client_api, miner):
    job = queued(client_api)

    cancel(client_api, job)
    publish(miner.grants(job))

    assert (state(client_api, job), row(job).attempt) == ("cancelled", 0)


def test_cancel_meets_result_and_the_result_comes_to_nothing(client_api, miner):
    job = running(client_api, miner)

    cancel(client_api, job)
    publish(miner.completes(job, "too late"))

    assert state(client_api, job) == "cancelled"
    assert not AIJobResult.objects.exists()


def test_a_miners_report_that_it_has_stopped_changes_nothing(client_api, miner):
    job = running(client_api, miner)
    cancel(client_api, job)

    publish(miner.fails(job, "CANCELLED"))

    assert states_of(job) == ["queued", "running", "cancelled"]


def run_together(*calls):
    """Run these calls in threads that start together; returns what each raised, or None."""
    barrier, errors = threading.Barrier(len(calls)), [None] * len(calls)

    def one(place, call):
        barrier.wait()
        try:
            call()
        except Exception as error:  # noqa: BLE001  # returned to the test, which looks at its class
            errors[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def handling(service, fact):
    def run():
        with atomic(AIJob):
            service([fact])

    return run


@pytest.mark.transaction
def test_race_of_cancel_and_grant_has_one_story(client_api, miner):
    for _ in range(8):
        job = submit(client_api)
        present = row(job)

        errors = run_together(
            lambda present=present: jobs.cancel(job=present, actor="client"),
            handling(attempts.start, miner.grants(job)),
        )

        assert errors == [None, None]
        assert states_of(job) in (["queued", "cancelled"], ["queued", "running", "cancelled"])
        started = "running" in states_of(job)
        assert row(job).outcome == ("cancelled_after_start" if started else "cancelled_before_start")


@pytest.mark.transaction
def test_race_of_cancel_and_result_has_one_winner(client_api, miner):
    for _ in range(8):
        job = submit(client_api)
        handling(attempts.start, miner.grants(job))()
        present = row(job)

        lost, _ = run_together(
            lambda present=present: jobs.cancel(job=present, actor="client"),
            handling(results.accept, miner.completes(job, 1)),
        )

        stored = AIJobResult.objects.filter(job_id=job["id"]).exists()
        if stored:
            assert isinstance(lost, StateConflict)
            assert states_of(job) == ["queued", "running", "succeeded"]
        else:
            assert lost is None
            assert states_of(job) == ["queued", "running", "cancelled"]


@pytest.mark.transaction
def test_many_cancels_at_once_cancel_once(client_api):
    job = submit(client_api)
    present = row(job)

    errors = run_together(*[lambda: jobs.cancel(job=AIJob.objects.get(pk=present.pk), actor="client")] * 6)

    assert errors == [None] * 6
    assert states_of(job) == ["queued", "cancelled"]
