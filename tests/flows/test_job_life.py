"""A job through the API, from submission to a receipt that verifies offline, and every way it can end early."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from apps.trading.services import log
from tests.flows.exchange import CAPABILITIES

VERIFIER = Path(__file__).resolve().parents[2] / "apps/trading/verifier/verify_receipt.py"


def test_a_paid_job_from_submit_to_a_receipt_that_verifies_offline(exchange, tmp_path):
    exchange.fund("10")
    exchange.register()

    job = exchange.submit("1")
    assert exchange.job(job)["state"] == "queued"
    work = exchange.poll()
    assert (work["job_id"], work["attempt"], work["payload"]) == (job["id"], 1, {"texts": ["a", "b"]})
    assert exchange.job(job)["state"] == "running"
    exchange.deliver(work, {"status": "completed", "output": "forty-two"})

    assert exchange.job(job)["state"] == "settled"
    result = exchange.client.json("GET", f"/ai/jobs/{job['id']}/result", status=200)
    assert result["result"] == {"status": "completed", "output": "forty-two"}
    receipt = exchange.client.json("GET", f"/ai/jobs/{job['id']}/receipt", status=200)
    assert receipt["receipt_id"] == result["receipt_id"]

    log.seal()
    bundle = exchange.client.json("GET", f"/trading/receipts/{receipt['receipt_id']}/bundle", status=200)
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(bundle))
    checked = subprocess.run([sys.executable, "-I", str(VERIFIER), str(path)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_what_the_client_pays_is_what_the_miner_and_the_exchange_get(exchange):
    exchange.fund("10")
    exchange.register()

    job = exchange.submit("1")
    exchange.deliver(exchange.poll(), {"output": "x"})

    payment = exchange.client.json("GET", f"/ai/jobs/{job['id']}/payment", status=200)
    paid, fee = Decimal(payment["paid"]), Decimal(payment["fee"])
    assert Decimal(exchange.balance(exchange.client)["available"]) == 10 - paid - fee
    assert Decimal(exchange.balance(exchange.miner)["available"]) == paid


def test_an_unpaid_job_is_settled_with_a_receipt_over_nothing(exchange):
    exchange.register()

    job = exchange.submit(None)
    exchange.deliver(exchange.poll(), "a plain string")

    assert exchange.job(job)["state"] == "settled"
    assert exchange.client.json("GET", f"/ai/jobs/{job['id']}/result", status=200)["result"] == "a plain string"


def test_a_client_without_money_is_refused_at_once(exchange):
    answer = exchange.client.post("/ai/jobs", {"task_type": "embedding", "payload": {}, "payment_amount": "1"})

    assert answer.status_code == 402
    problem = answer.json()
    assert (Decimal(str(problem["needed"])), Decimal(str(problem["available"]))) == (1, 0)


def test_a_job_cancelled_while_waiting_costs_nothing_and_is_not_handed_out(exchange):
    exchange.fund("10")
    exchange.register()
    job = exchange.submit("1")

    exchange.client.json("POST", f"/ai/jobs/{job['id']}/cancel", status=200)
    exchange.drain()

    assert exchange.job(job)["state"] == "cancelled"
    assert exchange.poll() is None
    assert Decimal(exchange.balance(exchange.client)["available"]) == 10


def test_a_result_after_the_cancel_is_refused_and_changes_nothing(exchange):
    exchange.fund("10")
    exchange.register()
    job = exchange.submit("1")
    work = exchange.poll()
    exchange.client.json("POST", f"/ai/jobs/{job['id']}/cancel", status=200)
    exchange.drain()

    late = exchange.miner.post(
        f"/gpu/v1/miners/{job['id']}/result", {"result": {"x": 1}, "attempt": work["attempt"]}, x_miner_id="rig-1"
    )
    exchange.drain()

    assert late.status_code == 409
    assert exchange.job(job)["state"] == "cancelled"


def test_a_failed_attempt_is_tried_again_with_the_next_attempt_number(exchange):
    from apps.gpu.services import queue

    exchange.fund("10")
    exchange.register()
    job = exchange.submit("1", max_attempts=2)
    exchange.fail(exchange.poll(), "ENGINE_ERROR")
    assert exchange.job(job)["state"] == "queued"

    make_due()
    queue.wake_due()
    second = exchange.poll()
    assert second["attempt"] == 2
    exchange.fail(second, "ENGINE_ERROR")

    assert exchange.job(job)["state"] == "dead"
    assert Decimal(exchange.balance(exchange.client)["available"]) == 10


def make_due() -> None:
    from apps.gpu.models import Work

    Work.objects.filter(state="delayed").update(due_at="2020-01-01T00:00:00Z")


def test_bad_input_that_the_exchange_can_see_fails_the_job_at_once(exchange):
    exchange.fund("10")
    exchange.register()
    job = exchange.submit("1", payload={"texts": []})

    exchange.fail(exchange.poll(), "BAD_INPUT")

    assert exchange.job(job)["state"] == "failed"


def test_a_result_that_says_failed_is_a_failure_and_is_not_paid(exchange):
    exchange.fund("10")
    exchange.register()
    job = exchange.submit("1", max_attempts=1)

    exchange.deliver(exchange.poll(), {"status": "failed", "error": "no such model"})

    assert exchange.job(job)["state"] == "dead"
    assert Decimal(exchange.balance(exchange.client)["available"]) == 10


@pytest.mark.parametrize("again", [1, 2])
def test_the_same_result_sent_again_is_acknowledged_and_paid_once(exchange, again):
    exchange.fund("10")
    exchange.register()
    job = exchange.submit("1")
    work = exchange.poll()

    for _ in range(again + 1):
        exchange.deliver(work, {"output": "x"})

    other = exchange.miner.post(
        f"/gpu/v1/miners/{job['id']}/result", {"result": {"output": "y"}, "attempt": 1}, x_miner_id="rig-1"
    )
    assert other.status_code == 409
    assert exchange.job(job)["state"] == "settled"


def test_a_job_that_needs_no_gpu_is_granted_to_a_machine_without_one(exchange):
    exchange.register(gpus=[])
    anywhere, on_a_gpu = exchange.submit(None), exchange.submit(None, constraints={"min_vram_gb": 8})

    assert exchange.poll()["job_id"] == anywhere["id"]
    assert exchange.poll() is None
    assert exchange.job(on_a_gpu)["state"] == "queued"


def test_a_grant_that_never_reached_its_miner_is_as_if_it_had_not_been(exchange):
    exchange.fund("10")
    exchange.register()
    job = exchange.submit("1")
    exchange.poll()
    assert exchange.job(job)["state"] == "running"

    undelivered(job)
    exchange.drain()

    waiting = exchange.job(job)
    assert (waiting["state"], waiting["attempt"]) == ("queued", 0)
    exchange.miner.json("POST", "/gpu/v1/miners/register", {"capabilities": CAPABILITIES}, x_miner_id="rig-2")
    second = exchange.miner.json("POST", "/gpu/v1/miners/poll", {}, x_miner_id="rig-2")
    assert second["attempt"] == 1
    body = {"result": "x", "attempt": 1}
    exchange.miner.json("POST", f"/gpu/v1/miners/{job['id']}/result", body, status=200, x_miner_id="rig-2")
    exchange.drain()
    assert exchange.job(job)["state"] == "settled"


def test_a_job_cancelled_after_a_grant_that_never_reached_its_miner_costs_nothing(exchange):
    exchange.fund("10")
    exchange.register()
    job = exchange.submit("1")
    exchange.poll()
    undelivered(job)
    exchange.drain()

    exchange.client.json("POST", f"/ai/jobs/{job['id']}/cancel", status=200)
    exchange.drain()

    assert Decimal(exchange.balance(exchange.client)["available"]) == 10
    assert exchange.poll() is None


def undelivered(job: dict) -> None:
    """What the dispatcher does when a miner disconnects before it has read the response to its poll."""
    from apps.gpu.models import Lease
    from apps.gpu.services import leases

    lease = Lease.objects.get(job_id=job["id"])
    assert leases.release(owner_id=lease.provider_id, job_ids=[lease.job_id], since=lease.granted_at) == 1
