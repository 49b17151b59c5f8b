"""Each invariant holds after ordinary work, and reports when it is broken on purpose."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError
from django.utils import timezone

from aitbc.core import blobs
from aitbc.core.db import atomic, cursor
from aitbc.core.ids import uuid7
from apps.ai.invariants import jobs
from apps.ai.models import AIJob, AIJobResult, Artifact, DeadLetter, IdempotencyRecord, JobEvent
from tests.ai.factories import publish, queued, row, running, submit

CHECKS = [
    jobs.every_accepted_job_exists, jobs.files_in_use_are_claimed, jobs.inputs_are_what_was_submitted,
    jobs.every_job_ends_once_and_in_time, jobs.history_explains_every_state,
    jobs.results_are_readable, jobs.one_result_per_success, jobs.attempts_are_bounded, jobs.one_key_one_job,
    jobs.jobs_and_payments_agree,
]  # fmt: skip


@pytest.fixture
def life(client_api, miner, drain):
    """Jobs that have seen all kinds of ends."""
    done, dead = running(client_api, miner, payment_amount="1"), running(client_api, miner, max_attempts=1)
    publish(miner.completes(done, {"n": 1}), miner.fails(dead, "ENGINE_ERROR"))
    client_api.post("/ai/jobs", {"task_type": "echo"}, idempotency_key="k")
    cancelled = queued(client_api)
    client_api.post(f"/ai/jobs/{cancelled['id']}/cancel")
    drain()
    return {"done": done, "dead": dead, "cancelled": cancelled, "waiting": queued(client_api)}


def unguarded(statement, *values):
    """Damage rows as only the database's owner could: with the triggers off."""
    with cursor(AIJob) as sql:
        sql.execute("SET LOCAL session_replication_role = replica")
        sql.execute(statement, values)
        sql.execute("SET LOCAL session_replication_role = origin")


def reports(check, word):
    violations = list(check())
    assert any(word in line for line in violations), violations


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_all_is_well_after_an_ordinary_day(life, check):
    assert list(check()) == []


def test_i1_sees_a_promised_job_that_is_gone(life):
    record = IdempotencyRecord.objects.get()
    record.body = record.body.replace(life_id(record), "01000000-0000-7000-8000-000000000000")
    record.save()

    reports(jobs.every_accepted_job_exists, "does not exist")


def life_id(record):
    return json.loads(record.body)["id"]


def test_i1_sees_an_input_that_is_gone(client_api):
    job = submit(client_api, payload={"text": "x" * 70_000})
    blobs.delete(row(job).input_sha256)

    reports(jobs.every_accepted_job_exists, "not in the store")


def test_i1_does_not_miss_the_input_of_a_job_that_has_ended(client_api, drain):
    job = submit(client_api, payload={"text": "x" * 70_000})
    client_api.post(f"/ai/jobs/{job['id']}/cancel")
    drain()
    blobs.delete(row(job).input_sha256)

    assert list(jobs.every_accepted_job_exists()) == []


ODD = {"z": [1.0, -0.0, 1e22, 1e-7, 0, True, None], "a": {"é": "\u2028", "b": 9007199254740991}, "": ""}


def test_i1c_sees_a_payload_that_was_changed(client_api):
    sound, changed = submit(client_api, payload=ODD), submit(client_api, payload=ODD)
    assert list(jobs.inputs_are_what_was_submitted()) == []

    unguarded('UPDATE ai_job SET payload = payload || \'{"": "x"}\' WHERE id = %s', changed["id"])

    (line,) = jobs.inputs_are_what_was_submitted()
    assert changed["id"] in line and sound["id"] not in line and "not the one that was submitted" in line


@pytest.mark.parametrize("change", ["input_sha256 = repeat('c', 64)", "input_size = 1", "payload_sha256 = 'x'"])
def test_i1c_sees_a_name_that_was_changed(client_api, change):
    job = submit(client_api, payload=ODD)

    unguarded(f"UPDATE ai_job SET {change} WHERE id = %s", job["id"])

    reports(jobs.inputs_are_what_was_submitted, job["id"])


def test_i1c_knows_the_names_of_payloads_from_before_migration_0004(client_api):
    job = submit(client_api, payload=ODD)

    unguarded(
        "UPDATE ai_job SET input_is_blob = true, payload_sha256 = encode(sha256(convert_to(payload::text, 'UTF8')), "
        "'hex'), state = 'failed' WHERE id = %s",
        job["id"],
    )

    assert list(jobs.inputs_are_what_was_submitted()) == []


def test_i1c_sees_a_large_input_whose_file_was_changed(client_api):
    job = submit(client_api, payload={"text": "x" * 70_000})
    assert list(jobs.inputs_are_what_was_submitted()) == []
    with blobs.open(row(job).input_sha256) as stored:
        path = Path(stored.name)

    path.chmod(0o600)
    path.write_bytes(b"something else")

    reports(jobs.inputs_are_what_was_submitted, "is damaged")


def test_i1_and_i11_name_an_answer_that_cannot_be_read_and_go_on(life):
    sound = IdempotencyRecord.objects.get()
    sound.pk, sound.key, sound.body = None, "other", "no JSON"
    sound.save()

    reports(jobs.every_accepted_job_exists, f"IdempotencyRecord {sound.pk} cannot be checked")
    assert f"IdempotencyRecord {sound.pk} cannot be checked" in next(iter(jobs.one_key_one_job()))


def test_i1b_sees_an_input_without_an_artifact_of_its_owner(client_api, other_client_api):
    job = submit(client_api, payload={"text": "x" * 70_000})
    assert list(jobs.files_in_use_are_claimed()) == []

    Artifact.objects.update(owner_id=other_client_api.owner_id)

    reports(jobs.files_in_use_are_claimed, f"job {job['id']}: its input")


def test_i1b_and_i6_see_a_large_result_without_its_artifact_or_file(client_api, miner):
    stored = blobs.put([b'"' + b"z" * 70_000 + b'"'], limit=1 << 20)
    job = running(client_api, miner)
    publish(miner.completes(job, None, result_sha256=stored.sha256, result_size=stored.size))
    assert list(jobs.files_in_use_are_claimed()) == []

    Artifact.objects.all().delete()
    blobs.delete(stored.sha256)

    reports(jobs.files_in_use_are_claimed, f"job {job['id']}: its result")
    reports(jobs.results_are_readable, "missing or damaged")


def test_i2_sees_a_second_end(life):
    job = row(life["cancelled"])
    JobEvent.objects.create(
        subject_id=job.pk, seq=job.version + 1, from_state="cancelled", to_state="settled", actor="nobody"
    )

    reports(jobs.every_job_ends_once_and_in_time, "ended 2 times")
    reports(jobs.every_job_ends_once_and_in_time, "left a final state")


def test_i2_sees_a_job_unfinished_after_its_total_time(life):
    AIJob.objects.filter(pk=life["waiting"]["id"]).update(expires_at=timezone.now() - timedelta(hours=1))

    reports(jobs.every_job_ends_once_and_in_time, "still queued")


def test_i3_sees_a_state_without_history(life):
    AIJob.objects.filter(pk=life["waiting"]["id"]).update(state="running")

    reports(jobs.history_explains_every_state, "says queued")


def test_i3_sees_a_transition_that_is_not_in_the_table(life):
    job = row(life["waiting"])
    JobEvent.objects.create(subject_id=job.pk, seq=1, from_state="queued", to_state="settled", actor="nobody")

    reports(jobs.history_explains_every_state, "not allowed")


def test_i3_sees_a_missing_transition(life):
    unguarded("DELETE FROM ai_job_event WHERE subject_id = %s AND to_state = 'running'", life["done"]["id"])

    reports(jobs.history_explains_every_state, "does not start where the previous one ended")
    reports(jobs.history_explains_every_state, "transitions says settled")


def test_i6_sees_a_damaged_result(client_api, miner, blob_folder):
    stored = blobs.put([b'"' + b"z" * 70_000 + b'"'], limit=1 << 20)
    job = running(client_api, miner)
    publish(miner.completes(job, None, result_sha256=stored.sha256, result_size=stored.size))
    assert list(jobs.results_are_readable()) == []

    (blob_folder / stored.sha256[:2] / stored.sha256).write_bytes(b"forged")

    reports(jobs.results_are_readable, "missing or damaged")


def test_i6_sees_a_small_result_that_was_changed(life):
    unguarded("""UPDATE ai_job_result SET result = '{"n": 2}' WHERE job_id = %s""", life["done"]["id"])

    reports(jobs.results_are_readable, "not the one that was accepted")


def test_i11_sees_one_job_under_two_keys(life):
    record = IdempotencyRecord.objects.get()
    record.pk, record.key = uuid7(), "k2"
    record.save(force_insert=True)

    reports(jobs.one_key_one_job, "2 keys")


def test_i11_sees_the_job_of_another_owner(life):
    IdempotencyRecord.objects.update(owner_id=uuid7())

    reports(jobs.one_key_one_job, "somebody else")


def test_i7_sees_a_success_without_result(life):
    unguarded("DELETE FROM ai_job_result WHERE job_id = %s", life["done"]["id"])

    reports(jobs.one_result_per_success, "settled")


def test_i7_sees_a_result_of_another_attempt(life):
    unguarded("UPDATE ai_job_result SET attempt = 9 WHERE job_id = %s", life["done"]["id"])

    reports(jobs.one_result_per_success, "attempt 9")


def test_i9_sees_a_death_without_a_letter(life):
    unguarded("DELETE FROM ai_dead_letter WHERE job_id = %s", life["dead"]["id"])

    reports(jobs.attempts_are_bounded, "do not match")


def test_i9_cannot_be_broken_by_counting_too_far(life):
    with pytest.raises(IntegrityError), atomic(AIJob):
        AIJob.objects.filter(pk=life["waiting"]["id"]).update(attempt=9)


@pytest.mark.parametrize("model", [JobEvent, AIJobResult, DeadLetter])
def test_history_cannot_be_rewritten(life, model):
    with pytest.raises(IntegrityError), atomic(AIJob):
        model._base_manager.all()._raw_delete("ai")
    assert model._base_manager.exists()


@pytest.mark.parametrize("change", ["result = '1'", "removed_at = now(), removed_by = 'owner', sha256 = ''"])
def test_of_a_result_only_its_removal_is_written(life, change):
    with pytest.raises(IntegrityError), atomic(AIJob), cursor(AIJob) as sql:
        sql.execute(f"UPDATE ai_job_result SET {change}")


def test_a_result_is_removed_once(client_api, miner):
    stored = blobs.put([b'"' + b"z" * 70_000 + b'"'], limit=1 << 20)
    job = running(client_api, miner)
    publish(miner.completes(job, None, result_sha256=stored.sha256, result_size=stored.size))
    AIJobResult.objects.update(removed_at=timezone.now(), removed_by="owner")

    for change in ({"removed_at": None, "removed_by": ""}, {"removed_by": "retention"}):
        with pytest.raises(IntegrityError), atomic(AIJob):
            AIJobResult.objects.update(**change)


@pytest.mark.parametrize("change", ["fee = 0", "paid = paid + 1", "refunded = refunded - 1"])
def test_i17c_sees_a_job_that_says_otherwise_than_its_payment(life, change):
    unguarded(f"UPDATE ai_job SET {change} WHERE id = %s", life["done"]["id"])

    reports(jobs.jobs_and_payments_agree, "its payment says")
