"""What happens at the same time, with real threads and real commits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from apps.ai.events import JobWithdrawn
from apps.gpu.invariants import leases
from apps.gpu.invariants import queue as queue_invariants
from apps.gpu.models import Lease, Outbox, Work
from apps.gpu.services import lease_expiry, queue
from tests.clients import Api
from tests.gpu.conftest import queued

pytestmark = pytest.mark.transaction
M = "/gpu/v1/miners"


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all calls at the same moment, each in a thread with its own connections."""
    barrier = Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(one, call) for call in calls]]


def sound() -> None:
    for check in (
        leases.one_holder_at_a_time,
        leases.attempts_rise,
        leases.one_result_each,
        leases.nobody_holds_more_than_declared,
        queue_invariants.work_and_leases_agree,
        queue_invariants.waiting_work_has_a_class,
    ):
        assert list(check()) == []


def miner(api_for: Callable[..., Api], name: str, **body: Any) -> Api:
    api = api_for(name, "miner")
    api.json("POST", f"{M}/register", {"capabilities": {}, "miner_id": name, **body}, status=200)
    return api


def test_two_miners_one_job(api_for: Callable[..., Api]) -> None:
    apis = [miner(api_for, f"m{i}") for i in range(4)]
    for _ in range(10):
        Outbox.objects.all().delete()
        job_id = queued().job_id
        queue.enqueue([queued(job_id=job_id)])

        answers = at_once([lambda api=api: api.post(f"{M}/poll", {}).status_code for api in apis])

        assert sorted(answers) == [200, 204, 204, 204]
        assert Lease.objects.live().filter(job_id=job_id).count() == 1
        Lease.objects.live().update(lease_until="2020-01-01T00:00Z")
        lease_expiry.expire_leases()
    sound()


def test_one_miner_polling_many_times_holds_no_more_than_it_may(api_for: Callable[..., Api]) -> None:
    api = miner(api_for, "busy", concurrency=3)
    queue.enqueue([queued() for _ in range(20)])

    at_once([lambda: api.post(f"{M}/poll", {"max_jobs": 2}).status_code for _ in range(8)])

    assert Lease.objects.live().count() == 3
    sound()


def test_cancel_meets_grant(api_for: Callable[..., Api]) -> None:
    api = miner(api_for, "m", concurrency=64)
    for _ in range(15):
        job_id = queued().job_id
        queue.enqueue([queued(job_id=job_id)])

        status, _ = at_once(
            [
                lambda: api.post(f"{M}/poll", {}).status_code,
                lambda job_id=job_id: queue.withdraw([JobWithdrawn(job_id=job_id, reason="cancelled")]),
            ]
        )

        if status == 200:
            assert Lease.objects.get(job_id=job_id).cancel_at is not None
            assert job_id in api.json("POST", f"{M}/heartbeat", {}, status=200)["cancel"]
        else:
            assert Work.objects.get(job_id=job_id).state == "done"
    sound()


def test_result_meets_expiry(api_for: Callable[..., Api]) -> None:
    api = miner(api_for, "m", concurrency=64)
    for _ in range(10):
        job_id = queued().job_id
        queue.enqueue([queued(job_id=job_id, start_seconds=0)])
        assert api.post(f"{M}/poll", {}).status_code == 200

        status, expired = at_once(
            [
                lambda job_id=job_id: api.post(f"{M}/{job_id}/result", {"result": "x"}).status_code,
                lease_expiry.expire_leases,
            ]
        )

        lease = Lease.objects.get(job_id=job_id)
        assert (status, expired, lease.state) == (409, 1, "expired") or lease_expiry.expire_leases() == 1
    sound()


def test_many_identical_results_count_once(api_for: Callable[..., Api]) -> None:
    api = miner(api_for, "m")
    job_id = queued().job_id
    queue.enqueue([queued(job_id=job_id)])
    api.json("POST", f"{M}/poll", {}, status=200)

    same = at_once([lambda: api.post(f"{M}/{job_id}/result", {"result": {"n": 1}}).status_code for _ in range(8)])

    assert same == [200] * 8
    assert Outbox.objects.filter(name="gpu.lease.completed.v1", consumer="ai").count() == 1
    sound()


def test_different_results_at_once_have_one_winner(api_for: Callable[..., Api]) -> None:
    api = miner(api_for, "m")
    job_id = queued().job_id
    queue.enqueue([queued(job_id=job_id)])
    api.json("POST", f"{M}/poll", {}, status=200)

    answers = at_once(
        [lambda n=n: api.post(f"{M}/{job_id}/result", {"result": {"n": n}}).status_code for n in range(8)]
    )

    assert sorted(answers) == [200] + [409] * 7
    sound()


def test_three_hundred_jobs_and_eight_hungry_miners(api_for: Callable[..., Api]) -> None:
    apis = [miner(api_for, f"m{i}", concurrency=1000) for i in range(8)]
    queue.enqueue([queued(task_type=f"task-{i % 20}", priority=i % 3) for i in range(300)])

    def hungry(api: Api) -> list[str]:
        found: list[str] = []
        empty = 0
        while empty < 3:
            answer = api.post(f"{M}/poll", {"max_jobs": 4})
            jobs = answer.json()["jobs"] if answer.status_code == 200 else []
            found += [job["job_id"] for job in jobs]
            empty = 0 if jobs else empty + 1
        return found

    taken = [job for found in at_once([lambda api=api: hungry(api) for api in apis]) for job in found]

    assert len(taken) == len(set(taken))
    assert Work.objects.waiting().count() == 300 - len(taken)
    assert len(taken) >= 290
    sound()
