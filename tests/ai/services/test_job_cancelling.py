"""Cancelling a job, alone and in a race with the grant, the result and the payment."""

import pytest

from aitbc.core.db import atomic
from aitbc.core.errors import StateConflict
from aitbc.core.messaging.relay import drain
from apps.ai.models import AIJob, AIJobResult
from apps.ai.services import attempts, job_endings, jobs, results
from apps.gpu.models import Work
from tests.ai.factories import fund, publish, queued, row, run_together, running, states_of, submit


def cancel(api, job, status=200):
    return api.json("POST", f"/ai/jobs/{job['id']}/cancel", status=status)


def test_a_waiting_job_is_cancelled_once_gpu_has_let_go_of_it(client_api):
    job = queued(client_api)

    assert cancel(client_api, job)["state"] == "cancelling"
    drain()

    assert (row(job).state, row(job).outcome) == ("cancelled", "cancelled_before_start")
    assert not Work.objects.filter(job_id=job["id"], state="waiting").exists()


def test_a_second_cancel_changes_nothing(client_api):
    job = queued(client_api)

    first, second = cancel(client_api, job), cancel(client_api, job)
    drain()
    third, fourth = cancel(client_api, job), cancel(client_api, job)

    assert first == second and third == fourth
    assert states_of(job) == ["queued", "cancelling", "cancelled"]


def test_a_job_that_ended_cannot_be_cancelled_and_says_so(client_api, miner):
    job = running(client_api, miner)
    publish(miner.completes(job, 1))

    problem = cancel(client_api, job, status=409)

    assert (problem["state"], problem["allowed"]) == ("settled", [])


def test_cancel_before_the_payment_is_held_gives_it_back(client_api):
    fund(client_api)
    job = submit(client_api, payment_amount="1")

    cancel(client_api, job)
    drain()

    view = client_api.json("GET", f"/ai/jobs/{job['id']}")
    assert (view["state"], view["payment_status"], view["refunded"]) == ("cancelled", "refunded", "1.000000")


def test_cancel_meets_grant_and_the_attempt_is_known(client_api, miner):
    """gpu had granted the job before it heard of the cancel; its answer is about that attempt."""
    job = queued(client_api, payment_amount="1")

    cancel(client_api, job)
    with atomic(AIJob):
        attempts.start([miner.grants(job)])
        job_endings.conclude([miner.stops(job, metered_ms=5_000)])
    drain()

    assert (row(job).outcome, row(job).attempt, row(job).billable_ms) == ("cancelled_after_start", 1, 5_000)
    assert (row(job).paid, row(job).fee, row(job).refunded) == (4_850, 150, 995_000)


def test_cancel_meets_a_result_and_the_result_wins(client_api, miner):
    """The miner's result was answered 200 before gpu heard of the cancel: it is what the client pays for."""
    job = running(client_api, miner, payment_amount="1")

    cancel(client_api, job)
    with atomic(AIJob):
        results.accept([miner.completes(job, "in time")])
    drain()

    assert states_of(job)[-3:] == ["cancelling", "succeeded", "settled"]
    assert client_api.json("GET", f"/ai/jobs/{job['id']}/result")["result"] == "in time"
    assert (row(job).outcome, row(job).error) == ("", "")


@pytest.mark.parametrize("fact", ["fails", "loses"])
def test_cancel_meets_the_end_of_the_attempt_and_nothing_is_due(client_api, miner, fact):
    job = running(client_api, miner, payment_amount="1")

    cancel(client_api, job)
    with atomic(AIJob):
        attempts.retry_or_end([getattr(miner, fact)(job, "ENGINE_ERROR")])
    drain()

    assert (row(job).state, row(job).outcome) == ("cancelled", "cancelled_after_start")
    assert (row(job).paid, row(job).fee, row(job).refunded) == (0, 0, 1_000_000)


def test_cancel_meets_a_grant_that_never_reached_its_miner(client_api, miner):
    job = running(client_api, miner)

    cancel(client_api, job)
    with atomic(AIJob):
        attempts.return_to_queue([miner.releases(job)])
    assert (row(job).state, row(job).attempt, row(job).provider_id) == ("cancelling", 0, None)
    drain()

    assert (row(job).state, row(job).billable_ms) == ("cancelled", 0)


def test_an_answer_about_another_attempt_ends_nothing(client_api, miner):
    job = running(client_api, miner)

    cancel(client_api, job)
    with atomic(AIJob):
        job_endings.conclude([miner.stops(job, attempt=2)])

    assert row(job).state == "cancelling"


def test_a_miners_report_that_it_has_stopped_changes_nothing(client_api, miner):
    job = running(client_api, miner)
    cancel(client_api, job)
    drain()

    publish(miner.fails(job, "CANCELLED"))

    assert states_of(job) == ["queued", "running", "cancelling", "cancelled"]


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
        assert states_of(job) in (["queued", "cancelling"], ["queued", "running", "cancelling"])
        assert row(job).attempt == 1


@pytest.mark.transaction
def test_race_of_cancel_and_result_has_one_winner_the_result(client_api, miner):
    for _ in range(8):
        job = submit(client_api)
        handling(attempts.start, miner.grants(job))()
        present = row(job)

        lost, _ = run_together(
            lambda present=present: jobs.cancel(job=present, actor="client"),
            handling(results.accept, miner.completes(job, 1)),
        )

        assert lost is None or isinstance(lost, StateConflict)
        assert row(job).state == "succeeded"
        assert AIJobResult.objects.filter(job_id=job["id"]).exists()


@pytest.mark.transaction
def test_many_cancels_at_once_cancel_once(client_api):
    job = submit(client_api)
    present = row(job)

    errors = run_together(*[lambda: jobs.cancel(job=AIJob.objects.get(pk=present.pk), actor="client")] * 6)

    assert errors == [None] * 6
    assert states_of(job) == ["queued", "cancelling"]
