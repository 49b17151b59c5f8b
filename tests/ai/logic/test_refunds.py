"""Who pays when a job ends without a result: one test per row of the table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ai.logic.outcomes import Outcome, outcome_of
from apps.ai.logic.refunds import RULES, Bill, Fault, billable_ms

FULL, METERED = Bill.FULL_REFUND, Bill.METERED

TABLE = [
    (Outcome.INSUFFICIENT_FUNDS, Fault.CLIENT, FULL),
    (Outcome.CANCELLED_BEFORE_START, Fault.CLIENT, FULL),
    (Outcome.CANCELLED_AFTER_START, Fault.CLIENT, METERED),
    (Outcome.BAD_INPUT, Fault.CLIENT, METERED),
    (Outcome.BAD_INPUT_UNPROVEN, Fault.NOBODY, FULL),
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


@given(st.sampled_from(list(Outcome)).map(str) | st.text())
def test_no_code_of_a_miner_makes_its_client_pay(code):
    for spelling in (code, code.upper()):
        assert billable_ms(outcome_of(spelling), 1234) == 0
