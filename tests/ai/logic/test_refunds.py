"""Who pays when a job ends without a result: one test per row of the table, through to the money."""

import pytest

from apps.ai.logic.refunds import RULES, Bill, Fault, billable_ms
from apps.ai.states import Outcome, outcome_of
from tests.ai.factories import queued, running, tell

FULL, METERED = Bill.FULL_REFUND, Bill.METERED

TABLE = [
    (Outcome.INSUFFICIENT_FUNDS, Fault.CLIENT, FULL),
    (Outcome.CANCELLED_BEFORE_START, Fault.CLIENT, FULL),
    (Outcome.CANCELLED_AFTER_START, Fault.CLIENT, METERED),
    (Outcome.BAD_INPUT, Fault.CLIENT, METERED),
    (Outcome.DELETED, Fault.PLATFORM, FULL),
    (Outcome.PLATFORM_FAULT, Fault.PLATFORM, FULL),
    (Outcome.QUEUE_TIMEOUT, Fault.NOBODY, FULL),
    (Outcome.TOTAL_TIMEOUT, Fault.NOBODY, FULL),
    (Outcome.START_TIMEOUT, Fault.MINER, FULL),
    (Outcome.HEARTBEAT_TIMEOUT, Fault.MINER, FULL),
    (Outcome.EXECUTION_TIMEOUT, Fault.MINER, FULL),
    (Outcome.OUT_OF_MEMORY, Fault.MINER, FULL),
    (Outcome.ENGINE_ERROR, Fault.MINER, FULL),
    (Outcome.INFERENCE_FAILED, Fault.MINER, FULL),
    (Outcome.REFUSED_BY_MINER, Fault.MINER, FULL),
    (Outcome.CANCELLED_BY_MINER, Fault.MINER, FULL),
    (Outcome.DRAINING, Fault.MINER, FULL),
    (Outcome.MINER_GONE, Fault.MINER, FULL),
    (Outcome.UNKNOWN, Fault.MINER, FULL),
]


def test_every_outcome_has_its_row():
    assert {outcome for outcome, _, _ in TABLE} == set(Outcome) == set(RULES)


@pytest.mark.parametrize(("outcome", "fault", "bill"), TABLE, ids=[row[0].value for row in TABLE])
def test_the_table_says_whose_fault_it_is_and_what_is_owed(outcome, fault, bill):
    assert (RULES[outcome].fault, RULES[outcome].bill) == (fault, bill)
    assert billable_ms(outcome, 1234) == (1234 if bill is METERED else 0)
    assert billable_ms(outcome, -5) == 0


LOST = [
    ("start_timeout", "start_timeout"), ("heartbeat_timeout", "heartbeat_timeout"),
    ("execution_timeout", "execution_timeout"), ("miner_gone", "miner_gone"), ("OUT_OF_MEMORY", "out_of_memory"),
    ("ENGINE_ERROR", "engine_error"), ("INFERENCE_FAILED", "inference_failed"), ("REFUSED", "refused_by_miner"),
    ("CANCELLED", "cancelled_by_miner"), ("DRAINING", "draining"), ("UNKNOWN", "unknown"), ("nonsense", "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "outcome"), LOST)
def test_a_miners_fault_refunds_everything(client_api, miner, code, outcome):
    job = running(client_api, miner, max_attempts=1, payment_amount="1")

    tell(miner.loses(job, code) if code.islower() else miner.fails(job, code))

    view = client_api.json("GET", f"/ai/jobs/{job['id']}")
    assert (view["state"], view["outcome"]) == ("dead", outcome)
    assert (view["payment_status"], view["paid"], view["refunded"]) == ("refunded", "0.000000", "1.000000")
    assert outcome_of(code) == outcome


def test_bad_input_pays_the_metered_time(client_api, miner):
    job = running(client_api, miner, payment_amount="1")

    tell(miner.fails(job, "BAD_INPUT"))  # after 5 s at 3.6 AIT an hour: 0.005 AIT

    payment = client_api.json("GET", f"/ai/jobs/{job['id']}/payment")
    assert (payment["paid"], payment["fee"], payment["refunded"]) == ("0.004850", "0.000150", "0.995000")


def test_cancel_before_the_start_refunds_everything(client_api, drain):
    job = queued(client_api, payment_amount="1")

    client_api.json("POST", f"/ai/jobs/{job['id']}/cancel", status=200)
    drain()

    view = client_api.json("GET", f"/ai/jobs/{job['id']}")
    assert (view["outcome"], view["paid"], view["refunded"]) == ("cancelled_before_start", "0.000000", "1.000000")


def test_cancel_after_the_start_pays_the_time_run_so_far(client_api, miner, drain):
    job = running(client_api, miner, payment_amount="1", ttl_seconds=3600, execution_seconds=100)

    client_api.json("POST", f"/ai/jobs/{job['id']}/cancel", status=200)
    drain()

    # It began long ago, so what is owed is an attempt's whole limit and no more: 100 s at 3.6 AIT an hour.
    payment = client_api.json("GET", f"/ai/jobs/{job['id']}/payment")
    assert (payment["status"], payment["refunded"]) == ("refunded", "0.900000")
    assert (payment["paid"], payment["fee"]) == ("0.097000", "0.003000")
