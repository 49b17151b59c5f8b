"""Withdrawals: the money is held with the request; paid posts the hold, every other end voids it.

requested → (proposed →) approved → paid; or rejected, and until it is approved cancelled by its owner or expired.
Approved, it may be on its way outside: then only an operator, who knows, ends it. Lock order: the withdrawal, then
accounts.
"""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from aitbc.accounts.services import organisations
from aitbc.core.db import atomic
from aitbc.core.errors import Forbidden, Invalid
from aitbc.core.ids import uuid7
from aitbc.core.states import begin
from apps.trading.errors import ReferenceUsed
from apps.trading.models import Withdrawal
from apps.trading.services import ledger
from apps.trading.services.deposits import LARGEST
from apps.trading.services.ledger import TransferRequest
from apps.trading.services.operators import (
    Operator,
    due_in,
    require_in_time,
    require_reason,
    require_second,
    require_user,
    two_decide,
)
from apps.trading.states import Code, Phase, WithdrawalState

SWEEP = "system:sweep"


def request(*, owner_id: UUID, amount: int, destination: str, actor: str) -> Withdrawal:
    """Hold `amount` micro-AIT of an owner until operators have paid it to the destination.

    Raises Invalid, OwnerUnknown, Forbidden for a banned owner, InsufficientFunds.
    """
    if not 0 < amount <= LARGEST:
        raise Invalid("A withdrawal is more than zero and at most a thousand million AIT.")
    if not destination.strip():
        raise Invalid("Say where the money is to go.")
    require_not_banned(owner_id)
    pk = uuid7()
    row = Withdrawal(
        id=pk, owner_id=owner_id, amount=amount, destination=destination.strip(), hold_id=ledger.name(f"withdraw:{pk}"),
        two_person=two_decide(amount), due_at=due_in("ledger.withdrawal_review_s"),
    )  # fmt: skip
    with atomic(Withdrawal):
        ledger.post([transfer_of(row, "withdraw", Phase.PENDING)], actor=actor)
        begin(row, actor=actor)
    return row


def cancel(*, row: Withdrawal, actor: str) -> Withdrawal:
    """End a withdrawal for its owner; the money is free again. Raises StateConflict once it is approved."""
    return end(row, WithdrawalState.CANCELLED, actor=actor, reason="cancelled by its owner")


def approve(*, row: Withdrawal, operator: Operator, reason: str = "") -> Withdrawal:
    """Approve a withdrawal, first of two where two decide; approved, it waits to be paid outside.

    Raises StateConflict, Gone after its deadline, SecondOperatorNeeded, Forbidden for a banned owner.
    """
    require_not_banned(row.owner_id)
    with atomic(Withdrawal):
        row = locked(row)
        if WithdrawalState.APPROVED not in row.TRANSITIONS[row.state]:
            raise row.conflict(WithdrawalState.APPROVED)
        require_in_time(row.due_at)
        if row.two_person and row.state == WithdrawalState.REQUESTED:
            first = require_user(operator)
            row.advance(WithdrawalState.PROPOSED, actor=operator.label, reason=reason, proposed_by=first)
        else:
            approver = require_second(operator, row.proposed_by) if row.two_person else operator.user_id
            row.advance(WithdrawalState.APPROVED, actor=operator.label, reason=reason, approved_by=approver)
    return row


def reject(*, row: Withdrawal, operator: Operator, reason: str) -> Withdrawal:
    """End a withdrawal that is not paid, with a reason its owner sees; its money is free. Raises StateConflict."""
    return end(row, WithdrawalState.REJECTED, actor=operator.label, reason=require_reason(reason))


def pay(*, row: Withdrawal, operator: Operator, external_reference: str) -> Withdrawal:
    """Record that an approved withdrawal was paid outside, with that payment's own reference.

    Raises Invalid, StateConflict, ReferenceUsed.
    """
    reference = external_reference.strip()
    if not reference:
        raise Invalid("Name the payment outside, e.g. the bank's reference.")
    with atomic(Withdrawal):
        row = locked(row)
        if row.state != WithdrawalState.APPROVED:
            raise row.conflict(WithdrawalState.PAID)
        # All payments wait for each other at the account outside; a reference that is free here stays free.
        ledger.lock([ledger.available_of(row.owner_id), ledger.EXTERNAL])
        if Withdrawal.objects.filter(external_reference=reference).exists():
            raise ReferenceUsed(f"Another withdrawal was paid with the reference {reference!r}.")
        ledger.post([transfer_of(row, "paid-out", Phase.POST)], actor=operator.label)
        row.advance(
            WithdrawalState.PAID, actor=operator.label, reason=reference, external_reference=reference,
            ended_at=timezone.now(),
        )  # fmt: skip
    return row


def expire_overdue(*, limit: int = 100) -> int:
    """End withdrawals that nobody decided in time, free their money; returns how many."""
    with atomic(Withdrawal):
        overdue = Withdrawal.objects.overdue(timezone.now()).order_by("due_at", "pk")
        rows = list(overdue.select_for_update(skip_locked=True)[:limit])
        for row in rows:
            end(row, WithdrawalState.EXPIRED, actor=SWEEP, reason="not decided in time")
    return len(rows)


def end(row: Withdrawal, to: WithdrawalState, *, actor: str, reason: str) -> Withdrawal:
    """Move a withdrawal to a final state in which it is not paid, and void its hold. Raises StateConflict."""
    with atomic(Withdrawal):
        row = locked(row)
        if to not in row.TRANSITIONS[row.state]:
            raise row.conflict(to)
        ledger.post([transfer_of(row, "unwithdraw", Phase.VOID)], actor=actor)
        row.advance(to, actor=actor, reason=reason, decision=reason[:300], ended_at=timezone.now())
    return row


def locked(row: Withdrawal) -> Withdrawal:
    return Withdrawal.objects.locked().get(pk=row.pk)


def require_not_banned(owner_id: UUID) -> None:
    """Raise Forbidden while the owner is banned, OwnerUnknown for nobody's id."""
    if organisations.require(owner_id).banned_at is not None:
        raise Forbidden("The owner is banned: lift the ban, or reject its withdrawals.")


def transfer_of(row: Withdrawal, prefix: str, phase: Phase) -> TransferRequest:
    """Return a transfer of a withdrawal in this phase; its id is made from `<prefix>:<withdrawal>`."""
    return TransferRequest(
        id=ledger.name(f"{prefix}:{row.pk}"), debit=ledger.available_of(row.owner_id), credit=ledger.EXTERNAL,
        amount=row.amount, code=Code.WITHDRAWAL, phase=phase,
        pending_id=None if phase == Phase.PENDING else row.hold_id, ref=row.pk,
    )  # fmt: skip
