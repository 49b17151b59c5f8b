"""Many operators at one deposit, and its owner spending it, with real threads and real commits."""

from __future__ import annotations

from uuid import uuid4

import pytest

from aitbc.core.errors import InsufficientFunds, StateConflict
from apps.trading.errors import AlreadyReversed, ReversalUncovered
from apps.trading.models import Reversal, Transfer
from apps.trading.services import ledger, reversals
from apps.trading.services.operators import SHELL, Operator
from apps.trading.states import Code
from tests.trading.factories import transfer
from tests.trading.inspection import reported, worth
from tests.trading.reversing import AIT, BIG, deposited
from tests.trading.services.test_ledger_races import at_once, books_are_right

pytestmark = pytest.mark.transaction
THREADS = 8


def user() -> Operator:
    return Operator("user:test", user_id=uuid4())


def test_one_of_many_reversals_is_posted() -> None:
    deposit = deposited(AIT)
    deposited(AIT, deposit.credit.owner_id)

    answers = at_once(
        [lambda: reversals.reverse(transfer_id=deposit.pk, operator=SHELL, reason="x") for _ in range(THREADS)]
    )

    assert sum(isinstance(answer, Reversal) for answer in answers) == 1
    assert sum(isinstance(answer, AlreadyReversed) for answer in answers) == THREADS - 1
    assert worth(deposit.credit.owner_id) == [AIT]
    assert books_are_right() and reported("T11") == []


def test_one_of_many_approvals_posts() -> None:
    deposit = deposited(BIG)
    deposited(BIG, deposit.credit.owner_id)
    proposal = reversals.reverse(transfer_id=deposit.pk, operator=user(), reason="x")

    answers = at_once([lambda: reversals.approve(row=proposal, operator=user()) for _ in range(THREADS)])

    assert sum(isinstance(answer, Reversal) for answer in answers) == 1
    assert sum(isinstance(answer, StateConflict) for answer in answers) == THREADS - 1
    assert Transfer.objects.filter(code=Code.REVERSAL).count() == 1
    assert worth(deposit.credit.owner_id) == [BIG]
    assert books_are_right() and reported("T11") == []


@pytest.mark.parametrize("attempt", range(4))
def test_the_owner_spends_it_or_it_is_reversed(attempt: int) -> None:
    deposit = deposited(AIT)
    owner, shop = deposit.credit.owner_id, uuid4()
    spending = [transfer(owner, shop, AIT) for _ in range(THREADS)]

    *spent, done = at_once(
        [lambda t=t: ledger.post([t], actor="system:test") for t in spending]
        + [lambda: reversals.reverse(transfer_id=deposit.pk, operator=SHELL, reason="x")]
    )

    assert isinstance(done, (Reversal, ReversalUncovered))
    reversed_at_all = isinstance(done, Reversal)
    assert sum(isinstance(answer, list) for answer in spent) == (not reversed_at_all)
    assert all(isinstance(answer, (list, InsufficientFunds)) for answer in spent)
    assert worth(owner, shop) == [0, 0 if reversed_at_all else AIT]
    assert books_are_right() and reported("T11") == []
