"""Reversals by operators: a new transfer of the same amount the other way, which names the old one; at most one each.

Only deposits are reversed: money that came from outside and goes back there. What moved for a job, a booking or a bond
is part of a payment, an escrow or a bond, whose parts add up and have receipts; a mistake there is made good by a
deposit.
Lock order: the reversal, then accounts.
"""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from aitbc.core.db import atomic
from aitbc.core.errors import InsufficientFunds, NotFound
from aitbc.core.money import format_amount
from aitbc.core.states import begin
from apps.trading.errors import AlreadyReversed, NotReversible, ReversalUncovered
from apps.trading.models import LedgerAccount, Reversal, Transfer
from apps.trading.services import ledger
from apps.trading.services.ledger import Account, TransferRequest
from apps.trading.services.operators import (
    Operator,
    due_in,
    require_in_time,
    require_reason,
    require_second,
    require_user,
    two_decide,
)
from apps.trading.states import AccountKind, Code, Phase, ReversalState

SWEEP = "system:sweep"
#: What is reversed: code and phase of the transfer that moved the money.
REVERSIBLE = {(Code.DEPOSIT, Phase.SINGLE)}


def reverse(*, transfer_id: UUID, operator: Operator, reason: str) -> Reversal:
    """Reverse a transfer at once, or, above the parameter, propose that to a second operator.

    Raises Invalid without a reason, NotFound, NotReversible, AlreadyReversed, ReversalUncovered, SecondOperatorNeeded.
    """
    row = reversal_of(reversible(transfer_id), operator, require_reason(reason))
    with atomic(Reversal):
        # Two operators at once: the second waits here for the first.
        accounts = ledger.lock([account_of(row.transfer.debit), account_of(row.transfer.credit)])
        if Reversal.objects.standing().filter(transfer_id=transfer_id).exists():
            raise AlreadyReversed(transfer_id=str(transfer_id))
        require_cover(row, accounts[account_of(row.transfer.credit)])
        begin(row, actor=operator.label, reason=row.reason[:300])
        if row.state == ReversalState.POSTED:
            post(row, actor=operator.label)
    return row


def approve(*, row: Reversal, operator: Operator) -> Reversal:
    """Post a proposed reversal as its second operator.

    Raises StateConflict, Gone after its deadline, SecondOperatorNeeded, ReversalUncovered.
    """
    with atomic(Reversal):
        row = locked(row)
        if row.state != ReversalState.PROPOSED:
            raise row.conflict(ReversalState.POSTED)
        require_in_time(row.due_at)
        second = require_second(operator, row.proposed_by)
        post(row, actor=operator.label)
        row.advance(ReversalState.POSTED, actor=operator.label, approved_by=second, ended_at=timezone.now())
    return row


def reject(*, row: Reversal, operator: Operator, reason: str) -> Reversal:
    """End a proposed reversal without a transfer; its proposer may, too. Raises StateConflict."""
    reason = require_reason(reason)
    with atomic(Reversal):
        row = locked(row)
        row.advance(ReversalState.REJECTED, actor=operator.label, reason=reason, ended_at=timezone.now())
    return row


def expire_overdue(*, limit: int = 100) -> int:
    """End proposals that no second operator approved in time; returns how many."""
    with atomic(Reversal):
        overdue = Reversal.objects.overdue(timezone.now()).order_by("due_at", "pk")
        rows = list(overdue.select_for_update(skip_locked=True, of=("self",))[:limit])
        for row in rows:
            row.advance(ReversalState.EXPIRED, actor=SWEEP, reason="no second operator", ended_at=timezone.now())
    return len(rows)


def reversible(transfer_id: UUID) -> Transfer:
    """Return the transfer of this id, with its accounts. Raises NotFound, NotReversible."""
    transfer = Transfer.objects.select_related("debit", "credit").filter(pk=transfer_id).first()
    if transfer is None:
        raise NotFound(f"There is no transfer {transfer_id}; `manage.py ledger statement OWNER` lists them.")
    if (transfer.code, transfer.phase) not in REVERSIBLE:
        raise NotReversible(f"This is a {transfer.code} ({transfer.phase}): make it good by a deposit with a reason.")
    return transfer


def reversal_of(transfer: Transfer, operator: Operator, reason: str) -> Reversal:
    """Return the unsaved reversal of a transfer: a proposal where two decide. Raises SecondOperatorNeeded."""
    two = two_decide(transfer.amount)
    return Reversal(
        transfer=transfer, reversal_id=ledger.name(f"reverse:{transfer.pk}"), two_person=two, reason=reason,
        proposed_by=require_user(operator) if two else operator.user_id, due_at=due_in("ledger.proposal_s"),
        state=ReversalState.PROPOSED if two else ReversalState.POSTED, ended_at=None if two else timezone.now(),
    )  # fmt: skip


def locked(row: Reversal) -> Reversal:
    return Reversal.objects.locked().get(pk=row.pk)


def account_of(row: LedgerAccount) -> Account:
    """Return the key of this account."""
    return Account(row.owner_id, AccountKind(row.kind), row.shard)


def require_cover(row: Reversal, account: LedgerAccount) -> None:
    """Raise ReversalUncovered where the account, which is locked, no longer has the money."""
    if not account.may_owe and account.available < row.amount:
        raise ReversalUncovered(needed=format_amount(row.amount), available=format_amount(account.available))


def post(row: Reversal, *, actor: str) -> None:
    """Post the transfer of a reversal. Raises ReversalUncovered."""
    old = row.transfer
    request = TransferRequest(
        id=row.reversal_id, debit=account_of(old.credit), credit=account_of(old.debit), amount=old.amount,
        code=Code.REVERSAL, ref=old.pk, reason=row.reason,
    )  # fmt: skip
    try:
        ledger.post([request], actor=actor)
    except InsufficientFunds as error:
        raise ReversalUncovered(**error.members) from error
