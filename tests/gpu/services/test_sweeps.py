"""Heartbeats, silence, and cancelled leases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from aitbc.core.ids import uuid7
from apps.ai.events import JobPrioritized, JobWithdrawn
from apps.gpu import tasks
from apps.gpu.models import Clock, FairShare, Lease, Miner, Outbox, RequirementClass, Work
from apps.gpu.services import exchange_downtime, leases, queue, requirement_classes, sweeps
from tests.clients import Api
from tests.gpu.conftest import queued

M = "/gpu/v1/miners"


@pytest.fixture
def held(miner_api: Api, enqueue: Callable[..., str]) -> str:
    """A job that the miner holds."""
    job_id = enqueue()
    miner_api.json("POST", f"{M}/register", {"capabilities": {}, "miner_id": "rig", "concurrency": 4}, status=200)
    miner_api.json("POST", f"{M}/poll", {}, status=200)
    return job_id


def ago(seconds: float) -> object:
    return timezone.now() - timedelta(seconds=seconds)


def facts(name: str) -> list[dict]:
    return list(Outbox.objects.filter(name=name, consumer="ai").order_by("id").values_list("payload", flat=True))


def test_a_heartbeat_pushes_the_lease_on_and_starts_it(miner_api: Api, held: str) -> None:
    before = Lease.objects.get(job_id=held)

    response = miner_api.json("POST", f"{M}/heartbeat", {"status": "active"}, status=200)

    after = Lease.objects.get(job_id=held)
    assert after.lease_until > before.lease_until and after.started_at
    assert [one["job_id"] for one in response["leases"]] == [held] and response["cancel"] == []


def test_progress_is_published_once(miner_api: Api, held: str) -> None:
    body = {"jobs": [{"job_id": held, "attempt": 1, "progress": 0.5, "note": "half"}]}
    miner_api.json("POST", f"{M}/heartbeat", body, status=200)
    miner_api.json("POST", f"{M}/heartbeat", body, status=200)

    assert Lease.objects.get(job_id=held).progress == 0.5
    assert len(facts("gpu.job.progressed.v1")) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "start_timeout"),
        ({"started_at": "2020-01-01T00:00Z"}, "heartbeat_timeout"),
        ({"started_at": "2020-01-01T00:00Z", "execute_by": "2020-01-01T00:10Z"}, "execution_timeout"),
        ({"cancel_at": "2020-01-01T00:00Z"}, "cancelled"),
    ],
)
def test_a_lease_whose_time_is_over_expires_with_the_limit_it_passed(held: str, changes: dict, code: str) -> None:
    Lease.objects.filter(job_id=held).update(lease_until="2020-01-01T00:10Z", **changes)

    assert sweeps.expire_leases() == 1
    assert sweeps.expire_leases() == 0

    lease = Lease.objects.get(job_id=held)
    assert (lease.state, lease.code) == ("expired", code)
    assert Work.objects.get(job_id=held).state == "done"
    assert [fact["code"] for fact in facts("gpu.lease.expired.v1")] == [code]


def test_a_requeued_job_gets_a_new_attempt(miner_api: Api, held: str) -> None:
    Lease.objects.filter(job_id=held).update(lease_until=ago(1))
    sweeps.expire_leases()

    queue.enqueue([queued(job_id=held, attempt=1)])

    assert miner_api.json("POST", f"{M}/poll", {}, status=200)["attempt"] == 2
    assert miner_api.post(f"{M}/{held}/result", {"result": "old", "attempt": 1}).status_code == 409


def test_the_exchange_s_own_downtime_is_nobody_s_fault(held: str) -> None:
    exchange_downtime.tick()
    Clock.objects.update(seen_at=ago(600))
    Lease.objects.filter(job_id=held).update(lease_until=ago(500), started_at=ago(700))
    Miner.objects.update(last_heartbeat=ago(590))

    assert 599 < exchange_downtime.tick() < 620
    assert sweeps.expire_leases() == 0
    assert sweeps.watch_miners() == {"offline": 0, "suspect": 0, "deregistered": 0}
    assert Lease.objects.get(job_id=held).state == "leased"
    assert exchange_downtime.tick() == 0.0


def test_a_miner_back_before_the_first_sweep_keeps_what_it_holds(miner_api: Api, held: str) -> None:
    exchange_downtime.tick()
    Clock.objects.update(seen_at=ago(600))
    Lease.objects.filter(job_id=held).update(lease_until=ago(500), started_at=ago(700))

    response = miner_api.json("POST", f"{M}/heartbeat", {"jobs": [{"job_id": held, "attempt": 1}]}, status=200)

    assert response["cancel"] == [] and [one["job_id"] for one in response["leases"]] == [held]


@pytest.mark.parametrize("verb", ["result", "fail"])
def test_an_answer_that_arrives_before_the_first_sweep_after_an_outage_counts(
    miner_api: Api, held: str, verb: str
) -> None:
    exchange_downtime.tick()
    Clock.objects.update(seen_at=ago(600))
    Lease.objects.filter(job_id=held).update(lease_until=ago(500))

    body = {"result": "done", "error_code": "ENGINE_ERROR", "error_message": "no", "attempt": 1}
    miner_api.json("POST", f"{M}/{held}/{verb}", body, status=200)

    assert Lease.objects.get(job_id=held).state == {"result": "completed", "fail": "failed"}[verb]


def test_a_late_answer_while_the_exchange_was_here_stays_late(miner_api: Api, held: str) -> None:
    exchange_downtime.tick()
    Lease.objects.filter(job_id=held).update(lease_until=ago(1))

    assert miner_api.post(f"{M}/{held}/result", {"result": "late", "attempt": 1}).status_code == 409
    assert Lease.objects.get(job_id=held).state == "leased"


def test_nothing_is_judged_while_no_web_process_could_hear_a_miner(held: str) -> None:
    exchange_downtime.tick()
    Lease.objects.filter(job_id=held).update(lease_until=ago(1))
    Miner.objects.update(last_heartbeat=ago(600))
    Clock.objects.update(seen_at=ago(60))

    tasks.sweep_leases()
    tasks.sweep_miners()
    assert Lease.objects.get(job_id=held).state == "leased" and Miner.objects.get().state == "online"

    exchange_downtime.tick()
    tasks.sweep_leases()
    assert Lease.objects.get(job_id=held).state == "leased"


def test_suspect_before_lost(held: str, miner_api: Api) -> None:
    Lease.objects.filter(job_id=held).update(started_at=ago(60), lease_until=timezone.now() + timedelta(seconds=10))
    Miner.objects.update(last_heartbeat=ago(35))

    assert sweeps.suspect_leases() == 1
    assert sweeps.watch_miners()["suspect"] == 1
    assert Lease.objects.get(job_id=held).suspect_at and Lease.objects.get(job_id=held).state == "leased"

    Miner.objects.update(last_heartbeat=ago(100))
    assert sweeps.watch_miners()["offline"] == 1
    miner_api.json("POST", f"{M}/heartbeat", {}, status=200)
    assert Miner.objects.get().state == "online"
    assert Lease.objects.get(job_id=held).suspect_at is None


def test_withdrawn_work_is_not_handed_out(miner_api: Api, enqueue: Callable[..., str]) -> None:
    job_id = enqueue()
    miner_api.json("POST", f"{M}/register", {"capabilities": {}}, status=200)

    queue.withdraw([JobWithdrawn(job_id=job_id, reason="cancelled")])

    assert miner_api.post(f"{M}/poll", {}).status_code == 204


def test_a_withdrawn_lease_is_ordered_to_stop_and_its_result_refused(miner_api: Api, held: str) -> None:
    queue.withdraw([JobWithdrawn(job_id=held, reason="cancelled")])

    assert miner_api.json("POST", f"{M}/heartbeat", {}, status=200)["cancel"] == [held]
    assert miner_api.post(f"{M}/{held}/result", {"result": "too late"}).status_code == 409
    miner_api.json("POST", f"{M}/{held}/fail", {"error_code": "CANCELLED", "error_message": "told to stop"}, status=200)
    assert Lease.objects.get(job_id=held).code == "CANCELLED"


def test_a_miner_must_stop_what_it_no_longer_holds(miner_api: Api, held: str) -> None:
    Lease.objects.filter(job_id=held).update(lease_until=ago(1))
    sweeps.expire_leases()

    response = miner_api.json("POST", f"{M}/heartbeat", {"jobs": [{"job_id": held, "attempt": 1}]}, status=200)

    assert response["cancel"] == [held] and response["leases"] == []


def test_a_job_the_miner_does_not_name_is_not_pushed_on(miner_api: Api, held: str) -> None:
    before = Lease.objects.get(job_id=held).lease_until

    miner_api.json("POST", f"{M}/heartbeat", {"jobs": []}, status=200)

    assert Lease.objects.get(job_id=held).lease_until == before


def test_delayed_work_waits_its_time(miner_api: Api, enqueue: Callable[..., str]) -> None:
    job_id = enqueue(not_before=(timezone.now() + timedelta(minutes=5)).isoformat())
    miner_api.json("POST", f"{M}/register", {"capabilities": {}}, status=200)
    assert queue.wake_due() == 0 and miner_api.post(f"{M}/poll", {}).status_code == 204

    Work.objects.filter(job_id=job_id).update(due_at=ago(1))
    assert queue.wake_due() == 1
    assert miner_api.json("POST", f"{M}/poll", {}, status=200)["job_id"] == job_id


def test_a_prioritized_job_overtakes(miner_api: Api, enqueue: Callable[..., str]) -> None:
    enqueue()
    second = enqueue()
    miner_api.json("POST", f"{M}/register", {"capabilities": {}}, status=200)

    assert queue.prioritize([JobPrioritized(job_id=second, priority=5)]) == 1

    assert miner_api.json("POST", f"{M}/poll", {}, status=200)["job_id"] == second


def test_an_undelivered_grant_goes_back_with_its_attempt(miner_api: Api, held: str) -> None:
    lease = Lease.objects.get(job_id=held)

    assert miner_api.post(f"{M}/release?jobs={held}&since=2020-01-01T00:00:00Z").status_code == 404
    assert leases.release(owner_id=lease.provider_id, job_ids=[lease.job_id], since=lease.granted_at) == 1

    assert Lease.objects.get(pk=lease.pk).state == "released"
    assert miner_api.json("POST", f"{M}/poll", {}, status=200)["attempt"] == 1


def test_fair_tags_stand_still_while_nobody_serves_the_class(enqueue: Callable[..., str]) -> None:
    owner = uuid7()
    for _ in range(3):
        enqueue(owner_id=owner)

    tags = set(Work.objects.values_list("fair_tag", flat=True))
    assert tags == {FairShare.objects.get().finish}


def test_a_hog_does_not_starve_a_newcomer(miner_api: Api, enqueue: Callable[..., str]) -> None:
    miner_api.json("POST", f"{M}/register", {"capabilities": {}, "concurrency": 64}, status=200)
    hog, newcomer = Miner.objects.get().pk, Miner.objects.get().owner_id
    queue.enqueue([queued(owner_id=hog) for _ in range(30)])
    miner_api.json("POST", f"{M}/poll", {"max_jobs": 10}, status=200)
    queue.enqueue([queued(owner_id=newcomer) for _ in range(5)])

    owners = []
    for _ in range(10):
        job_id = miner_api.json("POST", f"{M}/poll", {}, status=200)["job_id"]
        owners.append(Work.objects.get(job_id=job_id).owner_id)

    assert owners.count(newcomer) == 5


def test_idle_classes_retire_and_done_work_is_swept(held: str, miner_api: Api) -> None:
    RequirementClass.objects.update(used_at=ago(7200))
    assert requirement_classes.retire_idle() == 0  # still in use
    miner_api.json("POST", f"{M}/{held}/result", {"result": "x"}, status=200)
    Work.objects.update(created_at=ago(7200))

    assert queue.sweep_done() == 1
    assert requirement_classes.retire_idle() == 1
    assert queue.enqueue([queued(job_id=held)]) == 0  # a fact delivered late meets the lease it already had


def test_reputation_follows_what_was_promised(held: str, miner_api: Api) -> None:
    Lease.objects.filter(job_id=held).update(lease_until=ago(1))
    sweeps.expire_leases()

    assert sweeps.judge_reputation() == 1
    assert Miner.objects.get().reputation == 400
