"""T9 (escrows), and the checks of the ledger on tables of escrows and bonds, broken on purpose and reported."""

from __future__ import annotations

import pytest

from apps.trading.models import Escrow
from tests.marketplace.renting import reported
from tests.sabotage import sabotage

ESCROWS, TRANSFERS = (f"UPDATE trading_{table} SET" for table in ("escrow", "transfer"))
BREAKS = {
    "an escrow whose row paid more than its transfers": ("T9", f"{ESCROWS} paid = paid + 1 WHERE state = 'held'"),
    "a closed escrow divided otherwise": (
        "T9", f"{ESCROWS} refunded = refunded - 1, fee = fee + 1 WHERE state = 'closed'",
    ),
    "an escrow larger than what went in": ("T9", f"{ESCROWS} amount = amount + 1 WHERE state = 'held'"),
    "a slice is gone": ("T9", "DELETE FROM trading_transfer WHERE code = 'accrue'"),
    "a fee is gone": ("T9", "DELETE FROM trading_transfer WHERE code = 'fee'"),
    "money of an escrow nobody knows": ("T9", "DELETE FROM trading_escrow"),
    "an account that holds something else": (
        "T9", "UPDATE trading_ledgeraccount SET posted_debits = posted_debits - 1 WHERE kind = 'escrow'",
    ),
    "a fee above the rate, in row and transfers alike": (
        "T9b", f"{ESCROWS} paid = paid - 7, fee = fee + 7 WHERE state = 'closed'",
    ),
    "a rate changed afterwards": ("T9b", f"{ESCROWS} fee_bp = fee_bp + 1 WHERE state = 'held'"),
    "a fee of nothing": ("I17", f"{TRANSFERS} ref = gen_random_uuid() WHERE code = 'fee'"),
    "money in fractions": ("I19", "ALTER TABLE trading_bond ALTER forfeited TYPE double precision"),
    "a guard is off": ("I20", "ALTER TABLE trading_escrow DISABLE TRIGGER trading_escrow_no_delete"),
    "escrows may leave their final states": ("I20", "DROP TRIGGER trading_escrow_guard ON trading_escrow"),
    "bonds may leave their final states": ("I20", "ALTER TABLE trading_bond DISABLE TRIGGER trading_bond_guard"),
}  # fmt: skip


def test_sound_escrows_and_bonds_are_reported_by_nobody(one_of_each):
    names = ["I12", "I13", "I14", "I15", "I16", "I17", "I19", "I20", "M5", "T9", "T9b"]

    assert {name: reported(name) for name in names} == {name: [] for name in names}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_invariant_is_reported(what, one_of_each):
    name, statement = BREAKS[what]

    sabotage(Escrow, statement)

    assert reported(name) != []
