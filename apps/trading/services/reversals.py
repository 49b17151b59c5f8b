"""Reversals by operators: a new transfer of the same amount the other way, which names the old one; at most one each.

Only money that crossed the border of the exchange is moved back so: deposits, and withdrawals that were paid. What moved
for a job, a booking or a bond belongs to a record of its own; it is made good by a deposit with a reason.
"""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from aitbc.core.db import atomic
from aitbc.core.errors import InsufficientFunds, NotFound
from aitbc.core.money import format_amount, parse_amount
from aitbc.core.states import begin
from apps.trading.errors import AlreadyReversed, NotReversible, ReversalUncovered
from apps.trading.models import LedgerAccount, Reversal, Transfer
from apps.trading.services import ledger
from apps.trading.services.ledger import Account, TransferRequest
from apps.trading.services.operators import (
    Operator,
    due_in,
    require_in_time,
    require_second,
    require_user,
    required_reason,
    two_decide,
)
from apps.trading.states import AccountKind, Code, Phase, ReversalState

SWEEP = "system:sweep"
#: What may be reversed: the code and phase of the transfer that moved the money.
REVERSIBLE = {(Code.DEPOSIT, Phase.SINGLE), (Code.WITHDRAWAL, Phase.POST)}


def reverse(*, transfer_id: UUID, operator: Operator, reason: str) -> Reversal:
    """Reverse a transfer at once, or, above the parameter, propose it to a second operator.

    Raises Invalid without a reason, NotFound, NotReversible, AlreadyReversed, ReversalUncovered, SecondOperatorNeeded.
    """
    reason = required_reason(reason)
    transfer = Transfer.objects.select_related("debit", "credit").filter(pk=transfer_id).first()
    if transfer is None:
        raise NotFound(f"There is no transfer {transfer_id}; `manage.py ledger statement OWNER` lists them.")
    if (transfer.code, transfer.phase) not in REVERSIBLE:
        raise NotReversible(
            f"A {transfer.code} ({transfer.phase}) is not reversed by hand: deposits and paid withdrawals are. "
            "Make any other good by a deposit with a reason."
        )
    two = two_decide(transfer.amount)
    row = Reversal(
        transfer=transfer, reversal_id=ledger.name(f"reverse:{transfer.pk}"), two_person=two, reason=reason,
        proposed_by=require_user(operator) if two else operator.user_id, due_at=due_in("ledger.proposal_s"),
        state=ReversalState.PROPOSED if two else ReversalState.POSTED, ended_at=None if two else timezone.now(),
    )  # fmt: skip
    with atomic(Reversal):
        # Two operators at once: the second waits here for the first.
        ledger.lock([account_of(transfer.debit), account_of(transfer.credit)])
        if Reversal.objects.standing().filter(transfer=transfer).exists():
            raise AlreadyReversed(transfer_id=str(transfer.pk))
        require_covered(transfer)
        if not two:
            post(row, actor=operator.label)
        begin(row, actor=operator.label, reason=reason[:300])
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
    """End a proposed reversal without a transfer. Raises StateConflict."""
    reason = required_reason(reason)
    with atomic(Reversal):
        row = locked(row)
        row.advance(ReversalState.REJECTED, actor=operator.label, reason=reason[:300], ended_at=timezone.now())
    return row


def expire_overdue(*, limit: int = 100) -> int:
    """End proposals that no second operator approved in time; returns how many."""
    with atomic(Reversal):
        overdue = Reversal.objects.overdue(timezone.now()).order_by("due_at", "pk")
        rows = list(overdue.select_for_update(skip_locked=True)[:limit])
        for row in rows:
            row.advance(ReversalState.EXPIRED, actor=SWEEP, reason="no second operator", ended_at=timezone.now())
    return len(rows)


def locked(row: Reversal) -> Reversal:
    return Reversal.objects.locked().get(pk=row.pk)


def account_of(row: LedgerAccount) -> Account:
    """Return the key of this account."""
    return Account(row.owner_id, AccountKind(row.kind), row.shard)


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
        raise uncovered(old, parse_amount(error.members["available"])) from error


def require_covered(transfer: Transfer) -> None:
    """Raise ReversalUncovered where the account that was credited has less than the amount; it is locked."""
    account = LedgerAccount.objects.get(pk=transfer.credit_id)
    if not account.may_owe and account.available < transfer.amount:
        raise uncovered(transfer, account.available)


def uncovered(transfer: Transfer, available: int) -> ReversalUncovered:
    """Return the error that says what is missing."""
    missing = format_amount(transfer.amount - available)
    return ReversalUncovered(
        f"{missing} AIT are missing: the owner has spent or withdrawn them since.",
        needed=format_amount(transfer.amount), available=format_amount(available), missing=missing,
    )  # fmt: skip
