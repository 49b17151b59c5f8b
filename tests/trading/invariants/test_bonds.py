"""M5 (bonds), broken on purpose and reported."""

from __future__ import annotations

import pytest

from apps.trading.models import Bond
from tests.marketplace.renting import reported
from tests.sabotage import sabotage

BONDS = "UPDATE trading_bond SET"
BREAKS = {
    "a bond smaller than its hold": ("M5", f"{BONDS} amount = amount - 1 WHERE state = 'held'"),
    "a bond that ended without a word": ("M5", f"{BONDS} state = 'released' WHERE amount = 777"),
    "a bond that is gone": ("M5", "DELETE FROM trading_bond WHERE amount = 777"),
    "a forfeit with too small an amount": ("M5", f"{BONDS} forfeited = 1 WHERE state = 'forfeited'"),
    "money that stays on a bond account": (
        "M5", "UPDATE trading_ledgeraccount SET posted_credits = posted_credits + 1 WHERE kind = 'bond'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_invariant_is_reported(what, one_of_each):
    name, statement = BREAKS[what]

    sabotage(Bond, statement)

    assert reported(name) != []
