"""Any sequence of transfers, holds and resolutions, against a ledger of twenty lines that is plainly right."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aitbc.core.errors import Conflict, InsufficientFunds
from apps.trading.invariants.ledger import balances_are_sums, debits_equal_credits, every_transfer_has_two_sides
from apps.trading.models import LedgerAccount
from apps.trading.services import ledger
from apps.trading.services.ledger import TransferRequest
from apps.trading.states import AccountKind, Phase
from tests.trading.factories import funded, transfer

START = 100


class Oracle:
    """The same rules on plain dictionaries."""

    def __init__(self, owners: list[UUID]) -> None:
        self.own = dict.fromkeys(owners, START)
        self.held = dict.fromkeys(owners, 0)
        self.holds: dict[UUID, TransferRequest] = {}
        self.over: set[UUID] = set()

    def pay_directly(self, payer: UUID, payee: UUID, amount: int) -> bool:
        if self.own[payer] - self.held[payer] < amount:
            return False
        self.own[payer] -= amount
        self.own[payee] += amount
        return True

    def hold(self, request: TransferRequest) -> bool:
        payer = request.debit.owner_id
        if self.own[payer] - self.held[payer] < request.amount:
            return False
        self.held[payer] += request.amount
        self.holds[request.id] = request
        return True

    def resolve(self, hold: TransferRequest, taken: int) -> bool:
        if hold.id in self.over or taken > hold.amount:
            return False
        self.over.add(hold.id)
        self.held[hold.debit.owner_id] -= hold.amount
        return self.pay_directly(hold.debit.owner_id, hold.credit.owner_id, taken)


class LedgerMachine(RuleBasedStateMachine):
    """Three owners transfer money among themselves; after each step both ledgers agree."""

    @initialize()
    def start(self) -> None:
        self.owners = [funded(START) for _ in range(3)]
        self.oracle = Oracle(self.owners)
        self.last: TransferRequest | None = None

    def attempt(self, request: TransferRequest, expected: bool) -> None:
        try:
            ledger.post([request], actor="system:test")
            done = True
        except (InsufficientFunds, Conflict):
            done = False
        assert done == expected
        self.last = request if done else self.last

    @rule(payer=st.integers(0, 2), step=st.integers(1, 2), amount=st.integers(1, 120))
    def pay(self, payer: int, step: int, amount: int) -> None:
        debit, credit = self.owners[payer], self.owners[(payer + step) % 3]
        self.attempt(transfer(debit, credit, amount), self.oracle.pay_directly(debit, credit, amount))

    @rule(payer=st.integers(0, 2), step=st.integers(1, 2), amount=st.integers(1, 120))
    def hold(self, payer: int, step: int, amount: int) -> None:
        request = transfer(self.owners[payer], self.owners[(payer + step) % 3], amount, phase=Phase.PENDING)
        self.attempt(request, self.oracle.hold(request))

    @precondition(lambda self: self.oracle.holds)
    @rule(which=st.integers(0, 99), amount=st.integers(1, 120))
    def take(self, which: int, amount: int) -> None:
        hold = self.chosen(which)
        self.attempt(self.resolution(hold, Phase.POST, amount), self.oracle.resolve(hold, amount))

    @precondition(lambda self: self.oracle.holds)
    @rule(which=st.integers(0, 99))
    def release(self, which: int) -> None:
        hold = self.chosen(which)
        self.attempt(self.resolution(hold, Phase.VOID, hold.amount), self.oracle.resolve(hold, 0))

    @precondition(lambda self: self.last)
    @rule()
    def say_it_again(self) -> None:
        assert self.last is not None
        assert ledger.post([self.last], actor="system:test") == []

    @precondition(lambda self: self.last)
    @rule()
    def say_something_else_under_the_same_id(self) -> None:
        assert self.last is not None
        self.attempt(transfer(uuid4(), self.owners[0], 1, id=self.last.id), expected=False)

    def chosen(self, which: int) -> TransferRequest:
        return list(self.oracle.holds.values())[which % len(self.oracle.holds)]

    def resolution(self, hold: TransferRequest, phase: Phase, amount: int, **more: Any) -> TransferRequest:
        return transfer(hold.debit.owner_id, hold.credit.owner_id, amount, phase=phase, pending_id=hold.id, **more)

    @invariant()
    def both_ledgers_agree(self) -> None:
        accounts = LedgerAccount.objects.of_kind(AccountKind.AVAILABLE).filter(owner_id__in=self.owners)
        assert {a.owner_id: (a.balance, a.held) for a in accounts} == {
            owner: (self.oracle.own[owner], self.oracle.held[owner]) for owner in self.owners
        }

    def teardown(self) -> None:
        assert [*debits_equal_credits(), *every_transfer_has_two_sides(), *balances_are_sums()] == []


def test_the_ledger_agrees_with_its_oracle(db: None) -> None:
    relaxed = settings(max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(LedgerMachine, settings=relaxed)
