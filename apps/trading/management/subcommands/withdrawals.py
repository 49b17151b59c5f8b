"""Verbs of `manage.py ledger` for money on its way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aitbc.accounts.models import Organisation
from aitbc.core.cli.amounts import AIT_ABOVE_ZERO
from aitbc.core.cli.arguments import nonempty, whole
from aitbc.core.cli.commands import ProjectCommand
from aitbc.core.money import format_amount, parse_amount
from apps.trading.management.subcommands.lookups import OWNER, by_id, owner_of
from apps.trading.models import Withdrawal
from apps.trading.services import withdrawals
from apps.trading.services.operators import SHELL
from apps.trading.states import CURRENCY, WithdrawalState

Table = tuple[str, list[dict[str, Any]]]
ID = "its id, as `withdrawals` shows it, or the beginning of that"
TITLE = f"Withdrawals, {CURRENCY}"
#: What an operator does next with one in this state.
NEXT = {
    WithdrawalState.REQUESTED: "approve or reject",
    WithdrawalState.PROPOSED: "a second user approves",
    WithdrawalState.APPROVED: "pay outside, then `pay`",
}


def add(command: ProjectCommand, verbs: Any) -> None:
    request = command.verb(verbs, "withdraw", "request a withdrawal for an owner")
    request.add_argument("owner", type=nonempty, help=OWNER)
    request.add_argument("amount", type=AIT_ABOVE_ZERO, help='in AIT, e.g. "12.5"')
    request.add_argument("--to", type=nonempty, required=True, help="where the money is to go, in words")
    listed = command.verb(verbs, "withdrawals", "withdrawals, newest first")
    listed.add_argument("--state", choices=WithdrawalState.values, help="only those in this state")
    listed.add_argument("--owner", type=nonempty, help=OWNER)
    listed.add_argument("--limit", type=whole(1, 10_000), default=20, help="how many (20)")
    command.verb(verbs, "approve", "approve a withdrawal").add_argument("id", help=ID)
    refusal = command.verb(verbs, "reject", "refuse a withdrawal; its money is free again")
    refusal.add_argument("id", help=ID)
    refusal.add_argument("--reason", type=nonempty, required=True, help="its owner sees it")
    payment = command.verb(verbs, "pay", "record that an approved withdrawal was paid outside")
    payment.add_argument("id", help=ID)
    payment.add_argument("--reference", type=nonempty, required=True, help="of the payment outside, e.g. the bank's")


def withdraw(*, owner: str, amount: str, to: str, **_: Any) -> Table:
    owner_id = owner_of(owner).pk
    row = withdrawals.request(owner_id=owner_id, amount=parse_amount(amount), destination=to, actor=SHELL.label)
    return TITLE, lines([row])


def listing(*, state: str | None, owner: str | None, limit: int, **_: Any) -> Table:
    query = Withdrawal.objects.order_by("-id")
    query = query.filter(state=state) if state else query
    query = query.owned_by(owner_of(owner).pk) if owner else query
    return TITLE, lines(list(query[:limit]))


def approve(*, id: str, **_: Any) -> Table:
    return TITLE, lines([withdrawals.approve(row=found(id), operator=SHELL)])


def reject(*, id: str, reason: str, **_: Any) -> Table:
    return TITLE, lines([withdrawals.reject(row=found(id), operator=SHELL, reason=reason)])


def pay(*, id: str, reference: str, **_: Any) -> Table:
    return TITLE, lines([withdrawals.pay(row=found(id), operator=SHELL, external_reference=reference)])


def found(text: str) -> Withdrawal:
    return by_id(Withdrawal.objects.all(), "withdrawal", text)


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
