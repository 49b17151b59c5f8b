"""I12 to I15, I19 and I20 (the ledger), broken on purpose by a superuser with the guards off, and reported."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from apps.trading.models import Transfer
from apps.trading.services import ledger
from apps.trading.states import Phase
from tests.sabotage import sabotage
from tests.trading.factories import funded, transfer
from tests.trading.inspection import reported

MONEY = ["I12", "I13", "I14", "I15", "I16", "I17", "I18", "I19", "I20"]


def test_sound_books_are_reported_by_nobody(paid_job: Callable[[], UUID]) -> None:
    paid_job()
    ledger.take_snapshot()
    ledger.post([transfer(funded(10), uuid4(), 5, phase=Phase.PENDING)], actor="system:test")

    assert {name: reported(name) for name in MONEY} == {name: [] for name in MONEY}


ACCOUNTS, TRANSFERS = (f"UPDATE trading_{table} SET" for table in ("ledgeraccount", "transfer"))


BREAKS = {
    "money from nothing": ("I12", f"{ACCOUNTS} posted_credits = posted_credits + 1 WHERE kind = 'fees'"),
    "a hold with one side": ("I12", f"{ACCOUNTS} pending_credits = pending_credits + 1"),
    "an account is gone": ("I13", "DELETE FROM trading_ledgeraccount WHERE kind = 'escrow'"),
    "more taken than held": ("I13", f"{TRANSFERS} amount = amount + 1000000 WHERE phase = 'post'"),
    "a wrong balance": ("I14", f"{ACCOUNTS} posted_debits = posted_debits + 1, posted_credits = posted_credits + 1"),
    "a transfer is gone": ("I14", "DELETE FROM trading_transfer WHERE code = 'fee'"),
    "an owner in debt": (
        "I15", f"{ACCOUNTS} may_owe = true, posted_debits = posted_credits + 1 WHERE kind = 'available'",
    ),
    "money in fractions": ("I19", "ALTER TABLE trading_payment ALTER paid TYPE double precision"),
    "a rewritten transfer": ("I20", f"{TRANSFERS} ref = gen_random_uuid() WHERE code = 'payout'"),
    "a leaf is gone": ("I20", "DELETE FROM trading_logentry WHERE kind = 'tx.transfer'"),
    "a forgotten transfer": ("I20", "DELETE FROM trading_transfer WHERE code = 'payout'"),
    "a guard is off": ("I20", "ALTER TABLE trading_transfer DISABLE TRIGGER trading_transfer_no_change"),
    "a guard is gone": ("I20", "DROP TRIGGER trading_ledgeraccount_guard ON trading_ledgeraccount"),
    "a total that shrank": ("I20", "UPDATE trading_balancesnapshot SET posted_credits = posted_credits + 1"),
}  # fmt: skip


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_invariant_is_reported(what: str, paid_job: Callable[[], UUID]) -> None:
    name, statement = BREAKS[what]
    paid_job()
    ledger.take_snapshot()

    sabotage(Transfer, statement)

    assert reported(name) != []
