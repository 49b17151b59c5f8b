"""The double-entry ledger: what it does, and what the database refuses to every program."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, IntegrityError

from aitbc.core.db import atomic, cursor
from aitbc.core.errors import InsufficientFunds, Invalid
from aitbc.core.ids import uuid7
from apps.trading.errors import HoldMismatch, HoldResolved, TransferConflict
from apps.trading.models import BalanceSnapshot, LedgerAccount, LogEntry, Transfer
from apps.trading.services import ledger
from apps.trading.states import Phase
from tests.trading.factories import account_id, funded, transfer
from tests.trading.inspection import worth

ACTOR = "system:test"


def balances(owner: UUID) -> tuple[int, int]:
    account = LedgerAccount.objects.get(pk=account_id(ledger.available_of(owner)))
    return account.available, account.held


def test_a_transfer_moves_money_and_leaves_a_leaf() -> None:
    alice, bob = funded(100), funded(1)

    made = ledger.post([transfer(alice, bob, 30)], actor=ACTOR)

    assert worth(alice, bob) == [70, 31]
    leaf = Transfer.objects.get(pk=made[0]).leaf
    assert LogEntry.objects.with_hash(leaf).exists()


def test_the_same_transfer_twice_is_one() -> None:
    alice, bob = funded(100), uuid4()
    request = transfer(alice, bob, 30)

    first, second = ledger.post([request, request], actor=ACTOR), ledger.post([request], actor=ACTOR)

    assert (first, second) == ([request.id], [])
    assert worth(alice, bob) == [70, 30]


@pytest.mark.parametrize("change", [{"amount": 31}, {"credit": "carol"}, {"ref": "job"}])
def test_an_id_is_good_for_one_transfer_only(change: dict[str, object]) -> None:
    alice, bob = funded(100), uuid4()
    request = transfer(alice, bob, 30)
    ledger.post([request], actor=ACTOR)
    other = transfer(
        alice, uuid4() if "credit" in change else bob, int(change.get("amount", 30)), id=request.id,
        ref=uuid4() if "ref" in change else None,
    )  # fmt: skip

    with pytest.raises(TransferConflict):
        ledger.post([other], actor=ACTOR)

    assert worth(alice, bob) == [70, 30]


def test_what_is_not_there_cannot_be_spent() -> None:
    alice, bob = funded(100), uuid4()

    with pytest.raises(InsufficientFunds) as refused:
        ledger.post([transfer(alice, bob, 101)], actor=ACTOR)

    assert refused.value.members == {"needed": "0.000101", "available": "0.000100"}
    assert worth(alice, bob) == [100, 0]


def test_transfers_of_one_call_stand_or_fall_together() -> None:
    alice, bob, carol = funded(100), uuid4(), uuid4()

    with pytest.raises(InsufficientFunds):
        ledger.post([transfer(alice, bob, 60), transfer(alice, carol, 60)], actor=ACTOR)

    assert worth(alice, bob, carol) == [100, 0, 0]


def test_money_may_pass_through_within_one_call() -> None:
    alice, bob, carol = funded(100), uuid4(), uuid4()

    ledger.post([transfer(alice, bob, 60), transfer(bob, carol, 50)], actor=ACTOR)

    assert worth(alice, bob, carol) == [40, 10, 50]


@pytest.mark.parametrize("amount", [0, -1])
def test_an_amount_is_more_than_zero(amount: int) -> None:
    with pytest.raises(Invalid):
        ledger.post([transfer(funded(100), uuid4(), amount)], actor=ACTOR)


def test_a_hold_sets_aside_a_post_takes_part_and_frees_the_rest() -> None:
    alice, bob = funded(100), uuid4()
    hold = transfer(alice, bob, 80, phase=Phase.PENDING)

    ledger.post([hold], actor=ACTOR)
    while_held = balances(alice), worth(bob)
    ledger.post([transfer(alice, bob, 30, phase=Phase.POST, pending_id=hold.id)], actor=ACTOR)

    assert while_held == ((20, 80), [0])
    assert (balances(alice), worth(bob)) == ((70, 0), [30])


def test_a_void_gives_everything_back() -> None:
    alice, bob = funded(100), uuid4()
    hold = transfer(alice, bob, 80, phase=Phase.PENDING)
    ledger.post([hold], actor=ACTOR)

    ledger.post([transfer(alice, bob, 80, phase=Phase.VOID, pending_id=hold.id)], actor=ACTOR)

    assert (balances(alice), worth(bob)) == ((100, 0), [0])


@pytest.mark.parametrize("second", [Phase.POST, Phase.VOID])
def test_a_hold_is_resolved_once(second: Phase) -> None:
    alice, bob = funded(100), uuid4()
    hold = transfer(alice, bob, 80, phase=Phase.PENDING)
    ledger.post([hold], actor=ACTOR)
    ledger.post([transfer(alice, bob, 80, phase=Phase.POST, pending_id=hold.id)], actor=ACTOR)

    with pytest.raises(HoldResolved):
        ledger.post([transfer(alice, bob, 80, phase=second, pending_id=hold.id)], actor=ACTOR)

    assert (balances(alice), worth(bob)) == ((20, 0), [80])


def test_a_resolution_must_fit_its_hold() -> None:
    alice, bob = funded(100), uuid4()
    hold = transfer(alice, bob, 50, phase=Phase.PENDING)
    ledger.post([hold], actor=ACTOR)
    misfits = [
        transfer(alice, bob, 51, phase=Phase.POST, pending_id=hold.id),
        transfer(alice, uuid4(), 50, phase=Phase.POST, pending_id=hold.id),
        transfer(alice, bob, 49, phase=Phase.VOID, pending_id=hold.id),
        transfer(alice, bob, 50, phase=Phase.POST, pending_id=uuid7()),
    ]

    for misfit in misfits:
        with pytest.raises(HoldMismatch):
            ledger.post([misfit], actor=ACTOR)

    assert balances(alice) == (50, 50)


def test_a_snapshot_is_taken_once_a_day() -> None:
    owner = funded(100)

    first, second = ledger.take_snapshot(), ledger.take_snapshot()

    assert first >= 2 and second == 0
    assert BalanceSnapshot.objects.get(account=account_id(ledger.available_of(owner))).posted_credits == 100


# What the database refuses, whatever program speaks to it.


def refused(statement: str, *values: object) -> str:
    """The SQLSTATE with which the database refuses a statement."""
    with pytest.raises(DatabaseError) as error, atomic(Transfer), cursor(Transfer) as sql:
        sql.execute("SET CONSTRAINTS ALL IMMEDIATE")  # checks still waiting would shut TRUNCATE out by themselves
        sql.execute("SET LOCAL aitbc.testing = 'off'")
        sql.execute(statement, list(values))
    return str(error.value.__cause__.sqlstate)  # type: ignore[union-attr]


@pytest.mark.parametrize("table", ["trading_transfer", "trading_balancesnapshot", "trading_paymentevent"])
@pytest.mark.parametrize("act", ["UPDATE {0} SET id = id", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"])
def test_history_cannot_be_changed(table: str, act: str, paid_job: Callable[[], UUID]) -> None:
    paid_job()
    ledger.take_snapshot()

    assert refused(act.format(table)) == "23001"


@pytest.mark.parametrize("table", ["trading_ledgeraccount", "trading_payment"])
@pytest.mark.parametrize("act", ["DELETE FROM {0}", "TRUNCATE {0} CASCADE"])
def test_accounts_and_payments_cannot_be_removed(table: str, act: str, paid_job: Callable[[], UUID]) -> None:
    paid_job()

    assert refused(act.format(table)) == "23001"


def test_a_balance_cannot_be_written_by_hand() -> None:
    funded(100)

    assert refused("UPDATE trading_ledgeraccount SET posted_credits = posted_credits + 1") == "23001"
    assert refused("UPDATE trading_ledgeraccount SET may_owe = true") == "23001"


def test_an_account_is_opened_empty() -> None:
    with pytest.raises(IntegrityError), atomic(LedgerAccount):
        LedgerAccount.objects.create(id=uuid4(), owner_id=uuid4(), kind="available", posted_credits=5)


def raw(debit: UUID, credit: UUID, amount: int, phase: str, pending: UUID | None = None) -> tuple[str, list[object]]:
    columns = "id, debit_id, credit_id, amount, phase, pending_id, group_id, code, actor, reason, at, leaf"
    values = [uuid4(), debit, credit, amount, phase, pending, uuid4(), "payout", "x", "", "now", ""]
    return f"INSERT INTO trading_transfer ({columns}) VALUES ({', '.join(['%s'] * len(values))})", values


def test_the_database_itself_refuses_an_overdraft() -> None:
    alice, bob = (account_id(ledger.available_of(funded(amount))) for amount in (100, 1))

    statement, values = raw(alice, bob, 101, "single")

    assert refused(statement, *values) == "23514"


def test_the_database_itself_refuses_a_resolution_that_does_not_fit() -> None:
    owner, other = funded(100), funded(1)
    hold = transfer(owner, other, 50, phase=Phase.PENDING)
    ledger.post([hold], actor=ACTOR)
    alice, bob = account_id(hold.debit), account_id(hold.credit)

    for debit, credit, amount, phase in ((alice, bob, 51, "post"), (bob, alice, 50, "post"), (alice, bob, 49, "void")):
        statement, values = raw(debit, credit, amount, phase, hold.id)
        assert refused(statement, *values) == "23514"


def test_the_database_itself_refuses_a_second_resolution() -> None:
    owner, other = funded(100), funded(1)
    hold = transfer(owner, other, 50, phase=Phase.PENDING)
    ledger.post([hold], actor=ACTOR)
    ledger.post([transfer(owner, other, 50, phase=Phase.VOID, pending_id=hold.id)], actor=ACTOR)

    statement, values = raw(account_id(hold.debit), account_id(hold.credit), 10, "post", hold.id)

    assert refused(statement, *values) in ("23505", "23514")
