"""T11, and the guard of reversals, broken on purpose and reported."""

from __future__ import annotations

import pytest

from apps.trading.models import Reversal
from tests.clients import Api
from tests.owners import operator
from tests.sabotage import sabotage
from tests.trading.inspection import reported
from tests.trading.reversing import AIT, BIG, approve, deposited, propose, reject, reverse

TRANSFERS, REVERSALS = (f"UPDATE trading_{table} SET" for table in ("transfer", "reversal"))
BREAKS = {
    "another amount": ("T11", f"{TRANSFERS} amount = amount - 1 WHERE code = 'reversal'"),
    "the same direction": ("T11", f"{TRANSFERS} debit_id = credit_id, credit_id = debit_id WHERE code = 'reversal'"),
    "another transfer named": ("T11", f"{TRANSFERS} ref = gen_random_uuid() WHERE code = 'reversal'"),
    "not a deposit": ("T11", f"{TRANSFERS} code = 'payout' WHERE code = 'deposit'"),
    "posted without a transfer": ("T11", "DELETE FROM trading_transfer WHERE code = 'reversal'"),
    "a transfer without a decision": ("T11", "DELETE FROM trading_reversal WHERE state = 'posted'"),
    "a transfer of a proposal": ("T11", f"{REVERSALS} state = 'expired' WHERE state = 'posted'"),
    "reversed twice": (
        "T11",
        "CREATE TEMP TABLE again ON COMMIT DROP AS SELECT * FROM trading_transfer WHERE code = 'reversal'",
        "UPDATE again SET id = gen_random_uuid(), seq = -seq",
        "INSERT INTO trading_transfer SELECT * FROM again",
    ),
    "two who are one": (
        "T11", "ALTER TABLE trading_reversal DROP CONSTRAINT trading_reversal_two_decide",
        f"{REVERSALS} approved_by = proposed_by WHERE two_person AND state = 'posted'",
    ),
    "the guard is off": ("I20", "ALTER TABLE trading_reversal DISABLE TRIGGER trading_reversal_guard"),
}  # fmt: skip


@pytest.fixture
def reversed_ones(operator_api: Api) -> None:
    """One reversed by one operator, one by two, one proposed, one rejected."""
    alice, bob = operator("alice"), operator("bob")
    reverse(operator_api, deposited(AIT).pk)
    approve(bob, propose(deposited(BIG), alice).pk)
    reject(bob, propose(deposited(BIG), alice).pk)
    propose(deposited(BIG), alice)


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_invariant_is_reported(what: str, reversed_ones: None) -> None:
    name, *statements = BREAKS[what]
    assert reported(name) == []

    sabotage(Reversal, *statements)

    assert reported(name) != []
