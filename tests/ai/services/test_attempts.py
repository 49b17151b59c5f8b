"""A job from the queue to its receipt, as other domains report it, and every way a fact can come too late."""

import pytest

from aitbc.core.db import atomic
from aitbc.core.messaging import emit
from apps.ai.models import AIJobResult, DeadLetter, JobEvent
from apps.ai.services import attempts
from apps.gpu.models import Work
from tests.ai.factories import END, START, publish, queued, row, running, state, states_of, submit


def test_a_queued_job_reaches_gpu_with_all_it_needs(client_api):
    job = queued(client_api, payload={"a": 1}, priority=3, constraints={"region": "eu"})

    work = Work.objects.get(job_id=job["id"])

    assert (work.priority, work.state) == (3, "waiting")


def test_a_paid_job_lives_from_submit_to_receipt(client_api, miner, drain):
    job = running(client_api, miner, payment_amount="1.0")
    assert state(client_api, job) == "running"
    assert client_api.get(f"/ai/jobs/{job['id']}/result").status_code == 425
    assert client_api.get(f"/ai/jobs/{job['id']}/receipt").status_code == 404

    publish(miner.completes(job, {"answer": 42}))

    view = client_api.json("GET", f"/ai/jobs/{job['id']}")
    assert (view["state"], view["payment_status"], view["attempt"], view["progress"]) == ("settled", "settled", 1, 1.0)
    assert view["assigned_miner_id"] == miner.miner_id
    result = client_api.json("GET", f"/ai/jobs/{job['id']}/result", status=200)
    assert (result["result"], result["error"], result["metered_ms"]) == ({"answer": 42}, None, 30_000)
    assert result["receipt_id"] == view["receipt_id"]
    assert "receipt" not in result or result["receipt"]
    assert client_api.json("GET", f"/ai/jobs/{job['id']}/receipt", status=200)["receipt_id"] == view["receipt_id"]
    payment = client_api.json("GET", f"/ai/jobs/{job['id']}/payment", status=200)
    assert payment["status"] == "settled"
    # 30 s at 3.6 AIT an hour are 0.03 AIT; the provider gets what the fee leaves, the rest of the hold goes back.
    assert (payment["amount"], payment["refunded"]) == ("1.000000", "0.970000")
    assert (payment["paid"], payment["fee"]) == ("0.029100", "0.000900")
    assert states_of(job) == ["submitted", "queued", "running", "succeeded", "settled"]


def test_an_unpaid_job_gets_a_receipt_of_zero(client_api, miner):
    job = running(client_api, miner)

    publish(miner.completes(job, "just text"))

    view = client_api.json("GET", f"/ai/jobs/{job['id']}")
    assert (view["state"], view["payment_status"], view["paid"]) == ("settled", "none", "0.000000")
    assert view["receipt_id"]
    assert client_api.json("GET", f"/ai/jobs/{job['id']}/result")["result"] == "just text"


def test_a_result_not_there_yet_says_when_to_try_again(client_api):
    answer = client_api.get(f"/ai/jobs/{queued(client_api)['id']}/result")

    assert answer.status_code == 425
    assert int(answer["Retry-After"]) >= 1
    assert answer.json()["state"] == "queued"


def test_the_history_names_who_and_why(client_api, miner):
    job = running(client_api, miner)

    items = client_api.json("GET", f"/ai/jobs/{job['id']}/events", status=200)["items"]

    assert [item["seq"] for item in items] == [0, 1]
    assert items[0]["actor"] == f"client:{client_api.owner_id}"
    assert (items[1]["actor"], items[1]["reason"]) == (f"miner:{miner.miner_id}", "attempt 1")


def test_progress_is_stored_and_never_goes_back(client_api, miner):
    job = running(client_api, miner)

    publish(miner.progresses(job, 0.4, note="epoch 2"))
    publish(miner.progresses(job, 0.3))
    publish(miner.progresses(job, 0.9, attempt=2))

    view = client_api.json("GET", f"/ai/jobs/{job['id']}")
    assert (view["progress"], view["progress_note"]) == (0.4, "epoch 2")


def test_a_miners_failure_is_tried_again_after_a_pause(client_api, miner):
    job = running(client_api, miner, max_attempts=3)

    publish(miner.fails(job, "ENGINE_ERROR"))

    now = row(job)
    assert (now.state, now.attempt, now.miner_id, now.rate) == ("queued", 1, None, 0)
    pause = (now.queued_at - now.created_at).total_seconds()
    assert pause > 0.9
    assert JobEvent.objects.filter(subject_id=now.pk).last().detail["code"] == "engine_error"


def test_the_pause_grows_and_is_bounded():
    assert all(1.0 <= attempts.back_off(1).total_seconds() <= 2.0 for _ in range(50))
    assert all(4.0 <= attempts.back_off(3).total_seconds() <= 8.0 for _ in range(50))
    assert all(attempts.back_off(99).total_seconds() <= 60.0 for _ in range(50))


def test_used_up_attempts_end_in_a_dead_letter_that_says_why(client_api, miner):
    job = running(client_api, miner, max_attempts=2, payment_amount="1")

    publish(miner.fails(job, "OUT_OF_MEMORY"))
    publish(miner.grants(job, attempt=2))
    publish(miner.loses(job, "heartbeat_timeout", attempt=2))

    view = client_api.json("GET", f"/ai/jobs/{job['id']}")
    assert (view["state"], view["outcome"], view["attempt"]) == ("dead", "heartbeat_timeout", 2)
    assert (view["payment_status"], view["refunded"], view["paid"]) == ("refunded", "1.000000", "0.000000")
    letter = DeadLetter.objects.get(job_id=job["id"])
    assert (letter.code, letter.attempts) == ("heartbeat_timeout", 2)
    assert "attempt 2" in letter.reason
    result = client_api.json("GET", f"/ai/jobs/{job['id']}/result", status=200)
    assert (result["result"], result["outcome"]) == (None, "heartbeat_timeout")


def test_bad_input_that_the_schema_shows_fails_at_once(client_api, miner):
    job = running(client_api, miner, task_type="ocr", payload={"image": 7}, max_attempts=3)

    publish(miner.fails(job, "BAD_INPUT", message="not an image"))

    view = client_api.json("GET", f"/ai/jobs/{job['id']}")
    assert (view["state"], view["outcome"]) == ("failed", "bad_input")
    assert "not an image" in view["error"]
    assert not DeadLetter.objects.exists()


def test_a_second_attempt_may_succeed(client_api, miner):
    job = running(client_api, miner, max_attempts=2)
    publish(miner.loses(job, "miner_gone"))
    publish(miner.grants(job, attempt=2))

    publish(miner.completes(job, 1, attempt=2))

    assert state(client_api, job) == "settled"
    assert AIJobResult.objects.get(job_id=job["id"]).attempt == 2


@pytest.mark.parametrize(
    "late",
    [
        lambda m, j: m.completes(j, "late", attempt=1),
        lambda m, j: m.fails(j, "ENGINE_ERROR", attempt=1),
        lambda m, j: m.loses(j, "start_timeout", attempt=1),
        lambda m, j: m.progresses(j, 0.9, attempt=1),
        lambda m, j: m.grants(j, attempt=1),
    ],
)
def test_a_fact_about_an_earlier_attempt_changes_nothing(client_api, miner, late):
    job = running(client_api, miner, max_attempts=3)
    publish(miner.fails(job, "ENGINE_ERROR"))
    publish(miner.grants(job, attempt=2))
    before = (row(job).version, row(job).progress)

    publish(late(miner, job))

    assert (row(job).version, row(job).progress) == before
    assert not AIJobResult.objects.exists()


def test_a_second_result_changes_nothing(client_api, miner):
    job = running(client_api, miner)
    publish(miner.completes(job, "first"))

    publish(miner.completes(job, "second"))

    assert client_api.json("GET", f"/ai/jobs/{job['id']}/result")["result"] == "first"


def test_a_grant_beyond_the_allowed_attempts_changes_nothing(client_api, miner):
    job = queued(client_api, max_attempts=1)

    publish(miner.grants(job, attempt=2))

    assert state(client_api, job) == "queued"


def test_facts_about_unknown_jobs_are_nothing(client_api, miner):
    ghost = {"id": miner.miner_id}

    publish(miner.grants(ghost), miner.completes(ghost, 1), miner.fails(ghost, "UNKNOWN"), miner.progresses(ghost, 0.5))

    assert not AIJobResult.objects.exists()


def test_a_batch_advances_each_job_with_its_own_values(client_api, miner):
    jobs = [submit(client_api, task_type="ocr", max_attempts=2) for _ in range(5)]

    attempts.start([miner.grants(job) for job in jobs])
    attempts.retry_or_end(
        [miner.fails(job, code) for job, code in zip(jobs, ["BAD_INPUT", "REFUSED", "X"], strict=False)]
    )

    assert [row(job).state for job in jobs] == ["failed", "queued", "queued", "running", "running"]
    assert [row(job).started_at is None for job in jobs] == [False, True, True, False, False]


def test_a_delivery_repeated_after_a_crash_changes_nothing(client_api, miner):
    """The inbox absorbs repeats; the services stand them too, should an inbox ever be lost."""
    from apps.ai.services import results
    from apps.gpu.models import Outbox

    job = running(client_api, miner)
    fact = miner.completes(job, {"n": 1})
    publish(fact)
    with atomic(Outbox):
        results.accept([fact])
        attempts.start([miner.grants(job)])
        emit(miner.grants(job), by="gpu")

    assert states_of(job) == ["queued", "running", "succeeded", "settled"]
    assert (fact.started_at, fact.ended_at) == (START, END)
