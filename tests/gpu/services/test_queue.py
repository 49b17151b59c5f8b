"""Work that waits: withdrawn, delayed, prioritized, shared fairly, and swept when it is done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from aitbc.core.ids import uuid7
from apps.ai.events import JobPrioritized, JobWithdrawn
from apps.gpu.models import FairShare, Lease, Miner, RequirementClass, Work
from apps.gpu.services import queue, requirement_classes
from tests.clients import Api
from tests.gpu.conftest import queued
from tests.gpu.factories import M, ago
from tests.sabotage import sabotage


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


def test_an_excluded_owner_gets_the_job_only_while_no_other_owner_can(miner_api: Api, other_miner_api: Api) -> None:
    register = {"capabilities": {}, "concurrency": 8}
    miner_api.json("POST", f"{M}/register", register, status=200)
    alone = queued(excluded_owners=[str(miner_api.owner_id)])
    queue.enqueue([alone])
    other_miner_api.json("POST", f"{M}/register", {"capabilities": {"tasks": ["inference"]}}, status=200)
    checked, ordinary, unserved = (
        queued(excluded_owners=[str(miner_api.owner_id)]),
        queued(),
        queued(excluded_owners=[str(miner_api.owner_id)], task_type="nobody else does it"),
    )
    queue.enqueue([checked, ordinary, unserved])

    mine = [miner_api.json("POST", f"{M}/poll", {}, status=200) for _ in range(3)]

    assert {job["job_id"] for job in mine} == {alone.job_id, ordinary.job_id, unserved.job_id}
    assert miner_api.post(f"{M}/poll", {}).status_code == 204
    assert other_miner_api.json("POST", f"{M}/poll", {}, status=200)["job_id"] == checked.job_id


def test_a_class_and_a_miner_that_cannot_be_read_stop_nobody(
    miner_api: Api, other_miner_api: Api, enqueue: Callable[..., str]
) -> None:
    enqueue(models=["phi"])
    sabotage(RequirementClass, "UPDATE gpu_requirementclass SET requirement = '[1]'")
    miner_api.json("POST", f"{M}/register", {"capabilities": {}}, status=200)
    sabotage(Miner, "UPDATE gpu_miner SET offer = '7'")
    job_id = enqueue()

    other_miner_api.json("POST", f"{M}/register", {"capabilities": {}}, status=200)

    assert requirement_classes.mark_served() == 1  # the odd class, which nobody fits
    assert other_miner_api.json("POST", f"{M}/poll", {}, status=200)["job_id"] == job_id
