"""Jobs that end without a result, through to the money: what the refund table says is what trading does."""

import pytest

from aitbc.core.db import atomic
from apps.ai.logic.outcomes import outcome_of
from apps.ai.models import AIJob
from apps.ai.services import job_endings
from tests.ai.factories import publish, queued, running

LOST = [
    ("start_timeout", "start_timeout"), ("heartbeat_timeout", "heartbeat_timeout"),
    ("execution_timeout", "execution_timeout"), ("miner_gone", "miner_gone"), ("OUT_OF_MEMORY", "out_of_memory"),
    ("ENGINE_ERROR", "engine_error"), ("INFERENCE_FAILED", "inference_failed"), ("REFUSED", "refused_by_miner"),
    ("CANCELLED", "cancelled_by_miner"), ("DRAINING", "draining"), ("UNKNOWN", "unknown"), ("nonsense", "unknown"),
    ("BAD_INPUT", "bad_input_unproven"), ("BAD-INPUT", "unknown"), ("CANCELLED_AFTER_START", "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "outcome"), LOST)
def test_a_miners_fault_refunds_everything(client_api, miner, code, outcome):
    job = running(client_api, miner, max_attempts=1, payment_amount="1")

    publish(miner.loses(job, code) if code.islower() else miner.fails(job, code))

    view = client_api.json("GET", f"/ai/jobs/{job['id']}")
    assert (view["state"], view["outcome"]) == ("dead", outcome)
    assert (view["payment_status"], view["paid"], view["refunded"]) == ("refunded", "0.000000", "1.000000")
    assert outcome_of(code) == outcome


def test_bad_input_pays_the_metered_time(client_api, miner):
    job = running(client_api, miner, task_type="embedding", payload={"texts": [""]}, payment_amount="1")

    publish(miner.fails(job, "BAD_INPUT"))  # after 5 s at 3.6 AIT an hour: 0.005 AIT

    payment = client_api.json("GET", f"/ai/jobs/{job['id']}/payment")
    assert (payment["paid"], payment["fee"], payment["refunded"]) == ("0.004850", "0.000150", "0.995000")


def test_cancel_before_the_start_refunds_everything(client_api, drain):
    job = queued(client_api, payment_amount="1")

    client_api.json("POST", f"/ai/jobs/{job['id']}/cancel", status=200)
    drain()

    view = client_api.json("GET", f"/ai/jobs/{job['id']}")
    assert (view["outcome"], view["paid"], view["refunded"]) == ("cancelled_before_start", "0.000000", "1.000000")


def test_cancel_after_the_start_pays_what_gpu_metered_within_the_attempts_limit(client_api, miner, drain):
    job = running(client_api, miner, payment_amount="1", ttl_seconds=3600, execution_seconds=100)

    client_api.json("POST", f"/ai/jobs/{job['id']}/cancel", status=200)
    with atomic(AIJob):
        job_endings.conclude([miner.stops(job, metered_ms=3_600_000)])
    drain()

    # What is owed is an attempt's whole limit and no more: 100 s at 3.6 AIT an hour.
    payment = client_api.json("GET", f"/ai/jobs/{job['id']}/payment")
    assert (payment["status"], payment["refunded"]) == ("refunded", "0.900000")
    assert (payment["paid"], payment["fee"]) == ("0.097000", "0.003000")
