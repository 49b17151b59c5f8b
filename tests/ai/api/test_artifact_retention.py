"""What uses an artifact, how long it is kept, and what an owner may remove."""

from datetime import timedelta

import pytest
from django.utils import timezone

from aitbc.core import blobs, params
from aitbc.core.db import atomic, cursor
from aitbc.core.ids import uuid7
from apps.ai.invariants import jobs
from apps.ai.models import AIJobResult, Artifact
from apps.ai.services import artifacts, operator_actions, results
from tests.ai.factories import AIT, fund, large_result, publish, row, run_together, running, submit, upload


def age_artifacts(days=8):
    Artifact.objects.update(touched_at=timezone.now() - timedelta(days=days))


def kept():
    artifacts.collect_unused()
    return set(Artifact.objects.values_list("sha256", flat=True))


def in_use(api):
    return {one["sha256"]: one["in_use"] for one in api.json("GET", "/ai/artifacts", status=200)["items"]}


def test_an_unused_artifact_is_collected_after_its_retention(client_api):
    used, unused = upload(client_api, b"used"), upload(client_api, b"unused")
    submit(client_api, input_sha256=used["sha256"])
    assert in_use(client_api) == {used["sha256"]: True, unused["sha256"]: False}
    assert kept() == {used["sha256"], unused["sha256"]}

    age_artifacts()

    assert kept() == {used["sha256"]}
    assert blobs.collect(grace=timedelta(seconds=-5)) == 1
    assert not blobs.exists(unused["sha256"])


def ended_by(how, api, miner, sha256):
    job = running(api, miner, input_sha256=sha256, max_attempts=1)
    if how == "result":
        publish(miner.completes(job, 1))
    elif how == "failure":
        publish(miner.fails(job, "ENGINE_ERROR"))
    elif how == "cancel":
        api.post(f"/ai/jobs/{job['id']}/cancel")
        publish(miner.stops(job))
    else:
        operator_actions.delete(job=row(job), actor="operator:test", reason="test")
        assert in_use(api)[sha256]  # a result may be on its way
        publish(miner.stops(job))
    return job


@pytest.mark.parametrize("how", ["result", "failure", "cancel", "deletion"])
def test_the_input_of_a_job_that_ended_is_collected_in_its_turn(client_api, miner, how):
    stored = upload(client_api)
    age_artifacts()

    ended_by(how, client_api, miner, stored["sha256"])

    assert in_use(client_api) == {stored["sha256"]: False}
    assert kept() == {stored["sha256"]}  # its retention begins with the end of the job
    age_artifacts()
    assert kept() == set()
    assert list(jobs.every_accepted_job_exists()) == []


def test_the_input_of_a_refused_job_is_collected_in_its_turn(client_api, drain):
    fund(client_api, AIT)
    stored = upload(client_api)
    job = submit(client_api, input_sha256=stored["sha256"], payment_amount="0.9")
    other = submit(client_api, input_sha256=stored["sha256"], payment_amount="0.9")
    age_artifacts()

    drain()

    assert sorted([row(job).state, row(other).state]) == ["queued", "refused"]
    assert (timezone.now() - Artifact.objects.get().touched_at) < timedelta(hours=1)


def test_a_submission_begins_the_retention_anew(client_api):
    stored = upload(client_api)
    age_artifacts()

    submit(client_api, input_sha256=stored["sha256"])

    assert (timezone.now() - Artifact.objects.get().touched_at) < timedelta(hours=1)


@pytest.mark.transaction
def test_race_of_submission_and_collector_has_one_story(client_api):
    """The job is accepted and its input stays, or the input is gone and the job is refused."""
    for number in range(8):
        stored = upload(client_api, b"input %d" % number)
        age_artifacts()
        answers = []

        def post(sha256=stored["sha256"], answers=answers):
            answers.append(client_api.post("/ai/jobs", {"task_type": "echo", "input_sha256": sha256}))

        assert run_together(post, artifacts.collect_unused) == [None, None]
        there = Artifact.objects.filter(sha256=stored["sha256"]).exists()
        assert (answers[0].status_code, there) in ((201, True), (400, False))
    assert list(jobs.files_in_use_are_claimed()) == []


def test_a_large_result_is_kept_for_its_retention_then_410(client_api, miner, monkeypatch):
    job, sha256 = large_result(client_api, miner)
    age_artifacts(days=89)
    assert results.remove_old() == 0
    assert (in_use(client_api), kept()) == ({sha256: True}, {sha256})

    monkeypatch.setitem(params.overrides(), "jobs.result_retention_s", 0)
    assert (results.remove_old(), results.remove_old()) == (1, 0)

    assert kept() == set()
    problem = client_api.json("GET", f"/ai/jobs/{job['id']}/result", status=410)
    assert (problem["code"], problem["removed_by"]) == ("result_removed", "retention")
    assert problem["removed_at"][:16].replace("T", " at ") in problem["detail"]
    assert client_api.json("GET", f"/ai/jobs/{job['id']}", status=200)["state"] == "settled"
    blobs.delete(sha256)
    assert list(jobs.results_are_readable()) == list(jobs.files_in_use_are_claimed()) == []


def test_a_small_result_is_kept(client_api, miner, monkeypatch):
    job = running(client_api, miner)
    publish(miner.completes(job, {"n": 1}))
    monkeypatch.setitem(params.overrides(), "jobs.result_retention_s", 0)

    assert results.remove_old() == 0
    assert client_api.json("GET", f"/ai/jobs/{job['id']}/result", status=200)["result"] == {"n": 1}


def test_an_owner_removes_a_large_result_by_deleting_its_artifact(client_api, other_client_api, miner):
    job, sha256 = large_result(client_api, miner)
    others, _ = large_result(other_client_api, miner)
    twin, _ = large_result(client_api, miner)

    assert client_api.delete(f"/ai/artifacts/{sha256}").status_code == 204

    for one in (job, twin):
        problem = client_api.json("GET", f"/ai/jobs/{one['id']}/result", status=410)
        assert problem["removed_by"] == "owner"
    assert other_client_api.json("GET", f"/ai/jobs/{others['id']}/result", status=200)["artifact"]["sha256"] == sha256
    assert client_api.json("GET", "/ai/artifacts", status=200)["used_bytes"] == 0
    assert list(jobs.results_are_readable()) == list(jobs.files_in_use_are_claimed()) == []


def test_a_result_that_is_the_input_of_an_unfinished_job_cannot_be_deleted(client_api, miner):
    job, sha256 = large_result(client_api, miner)
    submit(client_api, input_sha256=sha256)

    assert client_api.json("DELETE", f"/ai/artifacts/{sha256}", status=409)["code"] == "artifact_in_use"
    assert client_api.get(f"/ai/jobs/{job['id']}/result").status_code == 200


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (lambda: Artifact.objects.filter(owner_id=uuid7()).values("size"), "ai_artifact_sizes_of_owner"),
        (lambda: Artifact.objects.unused(timezone.now() - timedelta(days=7)), "ai_artifact_touched"),
        (lambda: Artifact.objects.unused(timezone.now()), "ai_job_input"),
        (lambda: Artifact.objects.unused(timezone.now()), "ai_result_kept"),
        (lambda: AIJobResult.objects.kept().order_by("created_at"), "ai_result_kept_since"),
    ],
)
def test_the_queries_of_artifacts_have_their_indexes(db, query, index):
    Artifact.objects.bulk_create(Artifact(owner_id=uuid7(), sha256=f"{n:064}", size=1) for n in range(500))
    with atomic(Artifact), cursor(Artifact) as sql:
        sql.execute("SET LOCAL enable_seqscan = off")
        sql.execute("SET LOCAL enable_bitmapscan = off")
        sql.execute("ANALYZE ai_artifact")
        assert index in query().explain()
