"""Overdue leases and silent miners; a lease whose grant never arrived."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.gpu.models import Lease, Miner, Work
from apps.gpu.services import lease_expiry, leases, queue, silent_miners
from tests.clients import Api
from tests.gpu.conftest import queued
from tests.gpu.factories import M, ago, facts


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

    assert lease_expiry.expire_leases() == 1
    assert lease_expiry.expire_leases() == 0

    lease = Lease.objects.get(job_id=held)
    assert (lease.state, lease.code) == ("expired", code)
    assert Work.objects.get(job_id=held).state == "done"
    assert [fact["code"] for fact in facts("gpu.lease.expired.v1")] == [code]


def test_a_requeued_job_gets_a_new_attempt(miner_api: Api, held: str) -> None:
    Lease.objects.filter(job_id=held).update(lease_until=ago(1))
    lease_expiry.expire_leases()

    queue.enqueue([queued(job_id=held, attempt=1)])

    assert miner_api.json("POST", f"{M}/poll", {}, status=200)["attempt"] == 2
    assert miner_api.post(f"{M}/{held}/result", {"result": "old", "attempt": 1}).status_code == 409


def test_suspect_before_lost(held: str, miner_api: Api) -> None:
    Lease.objects.filter(job_id=held).update(started_at=ago(60), lease_until=timezone.now() + timedelta(seconds=10))
    Miner.objects.update(last_heartbeat=ago(35))

    assert lease_expiry.suspect_leases() == 1
    assert silent_miners.watch_miners()["suspect"] == 1
    assert Lease.objects.get(job_id=held).suspect_at and Lease.objects.get(job_id=held).state == "leased"

    Miner.objects.update(last_heartbeat=ago(100))
    assert silent_miners.watch_miners()["offline"] == 1
    miner_api.json("POST", f"{M}/heartbeat", {}, status=200)
    assert Miner.objects.get().state == "online"
    assert Lease.objects.get(job_id=held).suspect_at is None


def test_an_undelivered_grant_goes_back_with_its_attempt(miner_api: Api, held: str) -> None:
    lease = Lease.objects.get(job_id=held)

    assert miner_api.post(f"{M}/release?jobs={held}&since=2020-01-01T00:00:00Z").status_code == 404
    assert leases.release(owner_id=lease.provider_id, job_ids=[lease.job_id], since=lease.granted_at) == 1

    assert Lease.objects.get(pk=lease.pk).state == "released"
    assert miner_api.json("POST", f"{M}/poll", {}, status=200)["attempt"] == 1
