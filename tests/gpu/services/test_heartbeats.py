"""Heartbeats: they extend leases, report progress, and tell the miner what to stop."""

from __future__ import annotations

from apps.gpu.models import Lease
from apps.gpu.services import lease_expiry
from tests.clients import Api
from tests.gpu.factories import M, ago, facts


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


def test_a_miner_must_stop_what_it_no_longer_holds(miner_api: Api, held: str) -> None:
    Lease.objects.filter(job_id=held).update(lease_until=ago(1))
    lease_expiry.expire_leases()

    response = miner_api.json("POST", f"{M}/heartbeat", {"jobs": [{"job_id": held, "attempt": 1}]}, status=200)

    assert response["cancel"] == [held] and response["leases"] == []


def test_a_job_the_miner_does_not_name_is_not_pushed_on(miner_api: Api, held: str) -> None:
    before = Lease.objects.get(job_id=held).lease_until

    miner_api.json("POST", f"{M}/heartbeat", {"jobs": []}, status=200)

    assert Lease.objects.get(job_id=held).lease_until == before
