"""I14b, broken on purpose: accounts that are moved to another owner who exists."""

from __future__ import annotations

from uuid import UUID

import pytest

from apps.trading.models import Bond, Escrow, LedgerAccount, Payment, Withdrawal
from apps.trading.services import withdrawals
from tests.owners import new_owner
from tests.sabotage import sabotage
from tests.trading.factories import funded
from tests.trading.inspection import reported


def moved(owner_id: UUID, kind: str = "available") -> str:
    """Give an owner's account to another owner, who has none; returns its id."""
    account = LedgerAccount.objects.owned_by(owner_id).of_kind(kind).get()
    statement = f"UPDATE trading_ledgeraccount SET owner_id = '{new_owner()}' WHERE id = '{account.pk}'"
    sabotage(LedgerAccount, statement)
    return str(account.pk)


def assert_found(account: str) -> None:
    lines = reported("I14b")
    assert lines and all(account in line for line in lines), lines


@pytest.mark.parametrize(
    ("party", "kind"), [("owner_id", "available"), ("provider_id", "available"), ("owner_id", "escrow")]
)
def test_an_account_of_a_paid_job_that_was_moved_is_reported(paid_job, party, kind):
    payment = Payment.objects.get(job_id=paid_job())
    assert reported("I14b") == []

    assert_found(moved(getattr(payment, party), kind))


@pytest.mark.parametrize("party", ["renter_id", "provider_id"])
def test_an_account_of_a_booking_that_was_moved_is_reported(one_of_each, party):
    escrow = Escrow.objects.first()
    assert escrow is not None and reported("I14b") == []

    assert_found(moved(getattr(escrow, party)))


def test_an_account_of_a_bond_that_was_moved_is_reported(one_of_each):
    assert_found(moved(Bond.objects.get(amount=777).owner_id, "bond"))


def test_an_account_of_a_withdrawal_that_was_moved_is_reported(db):
    owner = funded(1_000_000)
    withdrawals.request(owner_id=owner, amount=1_000_000, destination="bank", actor="owner:test")
    assert Withdrawal.objects.count() == 1 and reported("I14b") == []

    assert_found(moved(owner))
