"""T10 and T12, and the guard of withdrawals, broken on purpose and reported."""

from __future__ import annotations

import pytest

from apps.trading.models import Withdrawal
from apps.trading.services import withdrawals
from apps.trading.services.operators import SHELL
from tests.clients import Api
from tests.owners import operator
from tests.sabotage import sabotage
from tests.trading.inspection import reported
from tests.trading.reversing import AIT, BIG
from tests.trading.withdrawing import decide, withdrawal

TRANSFERS, WITHDRAWALS = (f"UPDATE trading_{table} SET" for table in ("transfer", "withdrawal"))
BREAKS = {
    "more held than requested": ("T12", f"{TRANSFERS} amount = amount + 1 WHERE phase = 'pending'"),
    "less paid than held": ("T12", f"{TRANSFERS} amount = amount - 1 WHERE phase = 'post'"),
    "paid without leaving": (
        "T12", f"{WITHDRAWALS} state = 'paid', external_reference = id::text WHERE state = 'approved'",
    ),
    "ended and still held": ("T12", f"{WITHDRAWALS} state = 'expired' WHERE state = 'requested'"),
    "freed and not ended": ("T12", f"{WITHDRAWALS} state = 'requested' WHERE state = 'cancelled'"),
    "rejected and gone": ("T12", f"{WITHDRAWALS} state = 'rejected' WHERE state = 'paid'"),
    "somebody else's money": ("T12", f"{WITHDRAWALS} owner_id = gen_random_uuid() WHERE state = 'requested'"),
    "another amount": ("T12", f"{WITHDRAWALS} amount = amount + 1 WHERE state = 'requested'"),
    "a hold of no withdrawal": ("T12", "DELETE FROM trading_withdrawal WHERE state = 'requested'"),
    "a withdrawal without a hold": ("T12", "DELETE FROM trading_transfer WHERE phase = 'pending'"),
    "paid without a reference": (
        "T12", "ALTER TABLE trading_withdrawal DROP CONSTRAINT trading_withdrawal_paid_somewhere",
        f"{WITHDRAWALS} external_reference = '' WHERE state = 'paid'",
    ),
    "two who are one": (
        "T12", "ALTER TABLE trading_withdrawal DROP CONSTRAINT trading_withdrawal_two_decide",
        f"{WITHDRAWALS} approved_by = proposed_by WHERE two_person",
    ),
    "money from outside that is no deposit": ("T10", f"{TRANSFERS} code = 'payout' WHERE code = 'deposit'"),
    "money that leaves as a payout": ("T10", f"{TRANSFERS} code = 'payout' WHERE phase = 'post'"),
    "the guard is off": ("I20", "ALTER TABLE trading_withdrawal DISABLE TRIGGER trading_withdrawal_guard"),
}  # fmt: skip


@pytest.fixture
def one_of_each(operator_api: Api) -> None:
    """One requested, approved, paid, cancelled, and one approved by two."""
    withdrawal(AIT)
    withdrawals.approve(row=withdrawal(AIT), operator=SHELL)
    paid = withdrawal(AIT)
    withdrawals.approve(row=paid, operator=SHELL)
    withdrawals.pay(row=paid, operator=SHELL, external_reference="bank 1")
    withdrawals.cancel(row=withdrawal(AIT), actor="owner:test")
    large = withdrawal(BIG)
    for username in ("alice", "bob"):
        decide(operator(username), large, "approve")


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_invariant_is_reported(what: str, one_of_each: None) -> None:
    name, *statements = BREAKS[what]
    assert reported(name) == []

    sabotage(Withdrawal, *statements)

    assert reported(name) != []
