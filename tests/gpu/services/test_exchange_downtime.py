"""The exchange's own downtime: nobody is judged for it."""

from __future__ import annotations

import pytest

from apps.gpu import tasks
from apps.gpu.models import Clock, Lease, Miner
from apps.gpu.services import exchange_downtime, lease_expiry, silent_miners
from tests.clients import Api
from tests.gpu.factories import M, ago


def test_the_exchange_s_own_downtime_is_nobody_s_fault(held: str) -> None:
    exchange_downtime.tick()
    Clock.objects.update(seen_at=ago(600))
    Lease.objects.filter(job_id=held).update(lease_until=ago(500), started_at=ago(700))
    Miner.objects.update(last_heartbeat=ago(590))

    assert 599 < exchange_downtime.tick() < 620
    assert lease_expiry.expire_leases() == 0
    assert silent_miners.watch_miners() == {"offline": 0, "suspect": 0, "deregistered": 0}
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
