"""Many withdrawals of one balance, many decisions about one withdrawal, with real threads and real commits."""

from __future__ import annotations

from uuid import uuid4

import pytest

from aitbc.core.errors import InsufficientFunds, StateConflict
from apps.trading.errors import ReferenceUsed, SecondOperatorNeeded
from apps.trading.models import Transfer, Withdrawal
from apps.trading.services import ledger, withdrawals
from apps.trading.services.operators import SHELL, Operator
from tests.owners import new_owner
from tests.trading.factories import transfer
from tests.trading.inspection import reported, worth
from tests.trading.reversing import AIT, BIG, deposited
from tests.trading.services.test_ledger_races import at_once, books_are_right
from tests.trading.withdrawing import withdrawal

pytestmark = pytest.mark.transaction
THREADS = 8


def sound() -> bool:
    return books_are_right() and [*reported("T10"), *reported("T12")] == []


def user() -> Operator:
    return Operator("user:test", user_id=uuid4())


def test_two_withdrawals_beyond_the_balance() -> None:
    owner = deposited(AIT).credit.owner_id
    terms = {"owner_id": owner, "amount": 600_000, "destination": "x", "actor": "owner:test"}

    answers = at_once([lambda: withdrawals.request(**terms) for _ in range(THREADS)])

    assert sum(isinstance(answer, Withdrawal) for answer in answers) == 1
    assert sum(isinstance(answer, InsufficientFunds) for answer in answers) == THREADS - 1
    assert worth(owner) == [400_000] and Withdrawal.objects.count() == 1
    assert sound()


def test_withdrawing_and_spending_share_one_balance() -> None:
    owner, shop = deposited(AIT).credit.owner_id, new_owner()
    terms = {"owner_id": owner, "amount": 300_000, "destination": "x", "actor": "owner:test"}
    spending = [transfer(owner, shop, 300_000) for _ in range(4)]

    answers = at_once(
        [lambda t=t: ledger.post([t], actor="system:test") for t in spending]
        + [lambda: withdrawals.request(**terms) for _ in range(4)]
    )

    assert sum(isinstance(answer, InsufficientFunds) for answer in answers) == 5
    assert sum(isinstance(answer, (list, Withdrawal)) for answer in answers) == 3
    assert worth(owner) == [100_000]
    assert sound()


def test_one_of_many_approvals_counts() -> None:
    row = withdrawal(AIT)

    answers = at_once([lambda: withdrawals.approve(row=row, operator=SHELL) for _ in range(THREADS)])

    assert sum(isinstance(answer, Withdrawal) for answer in answers) == 1
    assert sum(isinstance(answer, StateConflict) for answer in answers) == THREADS - 1
    assert sound()


def test_one_operator_at_once_with_itself_is_not_two() -> None:
    row, alone = withdrawal(BIG), user()

    answers = at_once([lambda: withdrawals.approve(row=row, operator=alone) for _ in range(THREADS)])

    row.refresh_from_db()
    assert row.state == "proposed"
    assert sum(isinstance(answer, SecondOperatorNeeded) for answer in answers) == THREADS - 1
    assert sound()


@pytest.mark.parametrize("attempt", range(4))
def test_it_is_approved_or_cancelled(attempt: int) -> None:
    row = withdrawal(AIT)

    answers = at_once(
        [lambda: withdrawals.approve(row=row, operator=SHELL) for _ in range(4)]
        + [lambda: withdrawals.cancel(row=row, actor="owner:test") for _ in range(4)]
    )

    row.refresh_from_db()
    assert sum(isinstance(answer, Withdrawal) for answer in answers) == 1
    assert sum(isinstance(answer, StateConflict) for answer in answers) == THREADS - 1
    assert (row.state, worth(row.owner_id)) in [("approved", [0]), ("cancelled", [AIT])]
    assert sound()


def test_it_is_paid_or_rejected_once() -> None:
    row = withdrawals.approve(row=withdrawal(AIT), operator=SHELL)

    answers = at_once(
        [lambda n=n: withdrawals.pay(row=row, operator=SHELL, external_reference=f"bank {n}") for n in range(4)]
        + [lambda: withdrawals.reject(row=row, operator=SHELL, reason="x") for _ in range(4)]
    )

    assert sum(isinstance(answer, Withdrawal) for answer in answers) == 1
    assert Transfer.objects.filter(pending_id=row.hold_id).count() == 1
    assert sound()


def test_one_reference_pays_one_of_many() -> None:
    rows = [withdrawals.approve(row=withdrawal(AIT), operator=SHELL) for _ in range(THREADS)]

    answers = at_once(
        [lambda row=row: withdrawals.pay(row=row, operator=SHELL, external_reference="bank 1") for row in rows]
    )

    assert sum(isinstance(answer, Withdrawal) for answer in answers) == 1
    assert sum(isinstance(answer, ReferenceUsed) for answer in answers) == THREADS - 1
    assert sound()
