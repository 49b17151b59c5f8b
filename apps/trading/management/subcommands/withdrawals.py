"""Verbs of `manage.py ledger` for money that leaves or is moved back: withdrawals and reversals."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from aitbc.accounts import interface as accounts
from aitbc.core.errors import NotFound
from aitbc.core.money import format_amount, parse_amount
from apps.trading.models import Reversal, Withdrawal
from apps.trading.services import reversals, withdrawals
from apps.trading.services.operators import Operator
from apps.trading.states import CURRENCY, WithdrawalState

Table = tuple[str, list[dict[str, Any]]]


def operator_of(username: str | None) -> Operator:
    """Return the operator at the shell, as the user that --operator names."""
    if username is None:
        return Operator("operator:shell")
    return Operator(f"operator:shell user:{username}", user_id=accounts.user_id(username))


def withdraw(*, owner: str, amount: str, to: str, **_: Any) -> Table:
    found = accounts.find_owner(owner)
    row = withdrawals.request(owner_id=found.id, amount=parse_amount(amount), destination=to, actor="operator:shell")
    return f"Withdrawal requested, {CURRENCY}", [line(row, found.name)]


def listing(*, state: str | None, owner: str | None, limit: int, **_: Any) -> Table:
    query = Withdrawal.objects.order_by("-id")
    query = query.filter(state=state) if state else query
    query = query.owned_by(accounts.find_owner(owner).id) if owner else query
    return f"Withdrawals, {CURRENCY}", [line(row, name_of(row.owner_id)) for row in query[:limit]]


def approve(*, id: str, reason: str, operator: str | None, **_: Any) -> Table:
    row = found(id)
    if isinstance(row, Reversal):
        return "Reversal", [reversal_line(reversals.approve(row=row, operator=operator_of(operator)))]
    done = withdrawals.approve(row=row, operator=operator_of(operator), reason=reason)
    return f"Withdrawal, {CURRENCY}", [line(done, name_of(done.owner_id))]


def reject(*, id: str, reason: str, operator: str | None, **_: Any) -> Table:
    row = found(id)
    if isinstance(row, Reversal):
        done = reversals.reject(row=row, operator=operator_of(operator), reason=reason)
        return "Reversal", [reversal_line(done)]
    ended = withdrawals.reject(row=row, operator=operator_of(operator), reason=reason)
    return f"Withdrawal, {CURRENCY}", [line(ended, name_of(ended.owner_id))]


def pay(*, id: str, reference: str, operator: str | None, **_: Any) -> Table:
    row = found(id)
    if isinstance(row, Reversal):
        raise NotFound(f"{id} is a reversal; only withdrawals are paid.")
    paid = withdrawals.pay(row=row, operator=operator_of(operator), external_reference=reference)
    return f"Withdrawal, {CURRENCY}", [line(paid, name_of(paid.owner_id))]


def reverse(*, transfer: str, reason: str, operator: str | None, **_: Any) -> Table:
    pk = accounts.uuid_of(transfer)
    if pk is None:
        raise NotFound(f"{transfer!r} is no transfer's id; `manage.py ledger statement OWNER` lists them.")
    done = reversals.reverse(transfer_id=pk, operator=operator_of(operator), reason=reason)
    return f"Reversal, {CURRENCY}", [reversal_line(done)]


def reversal_listing(*, limit: int, **_: Any) -> Table:
    rows = Reversal.objects.select_related("transfer").order_by("-id")[:limit]
    return f"Reversals, {CURRENCY}", [reversal_line(row) for row in rows]


def found(text: str) -> Withdrawal | Reversal:
    """Return the withdrawal or reversal of this id. Raises NotFound."""
    pk = accounts.uuid_of(text)
    row = Withdrawal.objects.filter(pk=pk).first() or Reversal.objects.filter(pk=pk).first() if pk else None
    if row is None:
        raise NotFound(f"Nothing has the id {text!r}; see `manage.py ledger withdrawals` and `… ledger reversals`.")
    return row


def name_of(owner_id: UUID) -> str:
    return accounts.owner(owner_id).name


def line(row: Withdrawal, owner: str) -> dict[str, Any]:
    """One withdrawal; `due_at` is when it expires, empty once it has ended."""
    return {
        "id": str(row.pk),
        "owner": owner,
        "amount": format_amount(row.amount),
        "state": str(row.state),
        "to": row.destination,
        "next": next_of(row),
        "reference": row.external_reference or row.decision or None,
    }


def next_of(row: Withdrawal) -> str | None:
    """What an operator does next, and until when; None once it has ended."""
    todo = {
        WithdrawalState.REQUESTED: "approve or reject",
        WithdrawalState.PROPOSED: "a second operator approves",
        WithdrawalState.APPROVED: "pay outside, then `pay`",
    }.get(WithdrawalState(row.state))
    return f"{todo} by {row.due_at:%Y-%m-%dT%H:%M:%SZ}" if todo else None


def reversal_line(row: Reversal) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "state": str(row.state),
        "amount": format_amount(row.amount),
        "transfer": str(row.transfer_id),
        "reversed by": str(row.reversal_id) if row.state == "posted" else None,
        "reason": row.reason,
    }
