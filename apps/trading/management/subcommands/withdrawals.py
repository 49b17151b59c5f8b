"""Verbs of `manage.py ledger` for money on its way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from aitbc.accounts.models import Organisation
from aitbc.accounts.services import organisations
from aitbc.core.errors import NotFound
from aitbc.core.money import format_amount, parse_amount
from apps.trading.models import Withdrawal
from apps.trading.services import withdrawals
from apps.trading.services.operators import SHELL
from apps.trading.states import CURRENCY, WithdrawalState

Table = tuple[str, list[dict[str, Any]]]
TITLE = f"Withdrawals, {CURRENCY}"
#: What an operator does next with one in this state.
NEXT = {
    WithdrawalState.REQUESTED: "approve or reject",
    WithdrawalState.PROPOSED: "a second user approves",
    WithdrawalState.APPROVED: "pay outside, then `pay`",
}


def add(verbs: Any, shared: CommandParser) -> None:
    request = verbs.add_parser("withdraw", parents=[shared], help="request a withdrawal for an owner")
    request.add_argument("owner", help="an owner's name, username or id")
    request.add_argument("amount", help='in AIT, e.g. "12.5"')
    request.add_argument("--to", required=True, help="where the money is to go, in words")
    listed = verbs.add_parser("withdrawals", parents=[shared], help="withdrawals, newest first")
    listed.add_argument("--state", choices=WithdrawalState.values)
    listed.add_argument("--owner", help="an owner's name, username or id")
    listed.add_argument("--limit", type=int, default=20, help="how many (20)")
    verbs.add_parser("approve", parents=[shared], help="approve a withdrawal").add_argument("id", type=UUID)
    refusal = verbs.add_parser("reject", parents=[shared], help="refuse a withdrawal; its money is free again")
    refusal.add_argument("id", type=UUID)
    refusal.add_argument("--reason", required=True, help="its owner sees it")
    payment = verbs.add_parser("pay", parents=[shared], help="record that an approved withdrawal was paid outside")
    payment.add_argument("id", type=UUID)
    payment.add_argument("--reference", required=True, help="of the payment outside, e.g. the bank's")


def withdraw(*, owner: str, amount: str, to: str, **_: Any) -> Table:
    owner_id = organisations.find(owner).pk
    row = withdrawals.request(owner_id=owner_id, amount=parse_amount(amount), destination=to, actor=SHELL.label)
    return TITLE, lines([row])


def listing(*, state: str | None, owner: str | None, limit: int, **_: Any) -> Table:
    query = Withdrawal.objects.order_by("-id")
    query = query.filter(state=state) if state else query
    query = query.owned_by(organisations.find(owner).pk) if owner else query
    return TITLE, lines(list(query[: checked(limit)]))


def approve(*, id: UUID, **_: Any) -> Table:
    return TITLE, lines([withdrawals.approve(row=found(id), operator=SHELL)])


def reject(*, id: UUID, reason: str, **_: Any) -> Table:
    return TITLE, lines([withdrawals.reject(row=found(id), operator=SHELL, reason=reason)])


def pay(*, id: UUID, reference: str, **_: Any) -> Table:
    return TITLE, lines([withdrawals.pay(row=found(id), operator=SHELL, external_reference=reference)])


def checked(limit: int) -> int:
    """Return the limit. Raises ValueError out of bounds."""
    if not 1 <= limit <= 10_000:
        raise ValueError("--limit is a number from 1 to 10000")
    return limit


def found(pk: UUID) -> Withdrawal:
    """Return the withdrawal of this id. Raises NotFound."""
    row = Withdrawal.objects.filter(pk=pk).first()
    if row is None:
        raise NotFound(f"No withdrawal has the id {pk}; `manage.py ledger withdrawals` lists them.")
    return row


def lines(rows: list[Withdrawal]) -> list[dict[str, Any]]:
    owners = {row.owner_id for row in rows}
    names = dict(Organisation.objects.filter(pk__in=owners).values_list("pk", "name"))
    return [
        {
            "id": str(row.pk),
            "owner": names.get(row.owner_id, str(row.owner_id)),
            "amount": format_amount(row.amount),
            "state": str(row.state),
            "to": row.destination,
            "next": NEXT.get(WithdrawalState(row.state)),
            "because": row.external_reference or row.decision or None,
        }
        for row in rows
    ]


VERBS: dict[str, Callable[..., Table]] = {
    "withdraw": withdraw,
    "withdrawals": listing,
    "approve": approve,
    "reject": reject,
    "pay": pay,
}
