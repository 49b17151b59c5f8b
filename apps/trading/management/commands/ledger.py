"""`manage.py ledger`: deposits, balances, statements, withdrawals and reversals on the exchange's own machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from aitbc.accounts import interface as accounts
from aitbc.accounts.models import Organisation
from aitbc.core.cli import tables
from aitbc.core.cli.commands import ProjectCommand
from aitbc.core.cli.tables import console
from aitbc.core.errors import DomainError
from aitbc.core.money import format_amount, parse_amount
from apps.trading.management.subcommands import withdrawals
from apps.trading.models import LedgerAccount, Transfer
from apps.trading.services import deposits
from apps.trading.states import CURRENCY, AccountKind, Code, Phase, WithdrawalState

EXAMPLES = """\
  manage.py ledger mint dev 100 --reason "play money for the demo"
  manage.py ledger balance              every owner's balance
  manage.py ledger balance dev --json
  manage.py ledger statement dev --limit 50
  manage.py ledger owners de            owners whose name or username contains "de", with their ids
  manage.py ledger withdraw dev 10 --to "IBAN DE02 1203 0000 0000 2020 51"
  manage.py ledger withdrawals --state requested
  manage.py ledger approve 01a22621-1177-7326-a070-a46c50a30eb1 --operator alice
  manage.py ledger reject 01a22621-1177-7326-a070-a46c50a30eb1 --reason "unknown bank"
  manage.py ledger pay 01a22621-1177-7326-a070-a46c50a30eb1 --reference "bank transfer 4711"
  manage.py ledger reverse 0f8fad5b-d9cb-469f-a165-70867728950e --reason "credited twice"
  manage.py ledger reversals
"""


OWNER = "an owner's name, username or id"
DECISIONS = {
    "approve": "approve a withdrawal, or a proposed reversal as its second operator",
    "reject": "refuse a withdrawal or a proposed reversal",
    "pay": "record that an approved withdrawal was paid outside",
    "reverse": "reverse a deposit or a paid withdrawal by a new transfer",
}


class Command(ProjectCommand):
    """Put money in and out, look at balances and statements."""

    examples = EXAMPLES

    help = "Money: deposits, balances, statements, withdrawals, reversals."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON instead of a table")
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="|".join(VERBS))
        shared = CommandParser(add_help=False)
        shared.add_argument("--json", action="store_true", dest="as_json", default=argparse.SUPPRESS)
        self.add_reading(verbs, shared)
        self.add_deciding(verbs, shared)

    def add_reading(self, verbs: Any, shared: CommandParser) -> None:
        mint = verbs.add_parser("mint", parents=[shared], help="credit an owner from outside")
        mint.add_argument("owner", help=OWNER)
        mint.add_argument("amount", help='in AIT, e.g. "12.5"')
        mint.add_argument("--reason", required=True, help="kept with the transfer for ever")
        balance = verbs.add_parser("balance", parents=[shared], help="what owners have")
        balance.add_argument("owner", nargs="?", help=f"{OWNER}; all of them when left out")
        statement = verbs.add_parser("statement", parents=[shared], help="an owner's transfers, newest first")
        statement.add_argument("owner", help=OWNER)
        statement.add_argument("--limit", type=int, default=20, help="how many (20)")
        owners = verbs.add_parser("owners", parents=[shared], help="who there is: names, usernames, ids")
        owners.add_argument("text", nargs="?", default="", help="part of a name or username")

    def add_deciding(self, verbs: Any, shared: CommandParser) -> None:
        withdraw = verbs.add_parser("withdraw", parents=[shared], help="request a withdrawal for an owner")
        withdraw.add_argument("owner", help=OWNER)
        withdraw.add_argument("amount", help='in AIT, e.g. "12.5"')
        withdraw.add_argument("--to", required=True, help="where the money is to go, in words")
        listing = verbs.add_parser("withdrawals", parents=[shared], help="withdrawals, newest first")
        listing.add_argument("--state", choices=WithdrawalState.values)
        listing.add_argument("--owner", help=OWNER)
        listing.add_argument("--limit", type=int, default=50, help="how many (50)")
        for name, about in DECISIONS.items():
            decision = verbs.add_parser(name, parents=[shared], help=about)
            decision.add_argument("transfer" if name == "reverse" else "id")
            decision.add_argument("--operator", metavar="USERNAME", help="who decides; needed where two decide")
            if name == "pay":
                decision.add_argument("--reference", required=True, help="the payment outside, e.g. the bank's reference")
            else:
                decision.add_argument("--reason", required=name != "approve", default="", help="kept for good")
        reversal_list = verbs.add_parser("reversals", parents=[shared], help="reversals, newest first")
        reversal_list.add_argument("--limit", type=int, default=50, help="how many (50)")

    def handle(self, *, verb: str, as_json: bool, **options: Any) -> None:
        try:
            title, rows = VERBS[verb](**options)
        except (DomainError, ValueError) as error:
            raise CommandError(str(error)) from None
        if as_json:
            self.stdout.write(json.dumps(rows, indent=2))
        else:
            console(self.stdout).print(tables.rows(title, rows, tuple(rows[0]) if rows else ()))


def mint(*, owner: str, amount: str, reason: str, **_: Any) -> tuple[str, list[dict[str, Any]]]:
    found = accounts.find_owner(owner)
    transfer = deposits.deposit(
        owner_id=found.id, amount=parse_amount(amount), reason=reason, actor="operator:shell"
    )
    row = {"transfer": str(transfer.pk), "owner": found.name, "amount": format_amount(transfer.amount)}
    return f"Minted, {CURRENCY}", [row]


def balance(*, owner: str | None, **_: Any) -> tuple[str, list[dict[str, Any]]]:
    query = LedgerAccount.objects.all()
    if owner:
        query = query.owned_by(accounts.find_owner(owner).id).of_kind(AccountKind.AVAILABLE)
    found = list(query)
    names = dict(Organisation.objects.filter(pk__in={a.owner_id for a in found}).values_list("pk", "name"))
    rows = [
        {
            "owner": names.get(a.owner_id, owner_label(a)),
            "kind": a.kind,
            "available": format_amount(a.available),
            "held": format_amount(a.held),
            "total": format_amount(a.balance),
        }
        for a in found
    ]
    return f"Balances, {CURRENCY}", rows


def owner_label(account: LedgerAccount) -> str:
    """Who owns an account that no organisation owns: the exchange, or a booking (its escrow)."""
    if account.owner_id.int == 0:
        return "the exchange"
    return f"booking {account.owner_id}" if account.kind == AccountKind.ESCROW else str(account.owner_id)


def statement(*, owner: str, limit: int, **_: Any) -> tuple[str, list[dict[str, Any]]]:
    if not 1 <= limit <= 10_000:
        raise ValueError("--limit is a number from 1 to 10000")
    found = accounts.find_owner(owner)
    account = LedgerAccount.objects.owned_by(found.id).of_kind(AccountKind.AVAILABLE).first()
    if account is None:
        return f"{found.name} has no transfers", []
    transfers = Transfer.objects.touching(account.pk).order_by("-seq")[:limit]
    return f"Statement of {found.name}, {CURRENCY}", [line(transfer, account.pk) for transfer in transfers]


def line(transfer: Transfer, account_id: UUID) -> dict[str, Any]:
    """One line of a statement: minus is money out; pending and void rows set aside and release."""
    out = transfer.debit_id == account_id and transfer.phase in (Phase.SINGLE, Phase.POST)
    return {
        "at": formatted(transfer.at),
        "code": transfer.code,
        "what": Code(transfer.code).label,
        "phase": transfer.phase,
        "amount": format_amount(-transfer.amount if out else transfer.amount),
        "for": str(transfer.ref) if transfer.ref else None,
        "reason": transfer.reason or None,
        "id": str(transfer.pk),
    }


def formatted(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def owners(*, text: str, **_: Any) -> tuple[str, list[dict[str, Any]]]:
    found = accounts.owners(text)
    return "Owners", [
        {"name": one.name, "username": one.username or None, "id": str(one.id), "banned": one.banned} for one in found
    ]


VERBS: dict[str, Callable[..., tuple[str, list[dict[str, Any]]]]] = {
    "mint": mint,
    "balance": balance,
    "statement": statement,
    "owners": owners,
    "withdraw": withdrawals.withdraw,
    "withdrawals": withdrawals.listing,
    "approve": withdrawals.approve,
    "reject": withdrawals.reject,
    "pay": withdrawals.pay,
    "reverse": withdrawals.reverse,
    "reversals": withdrawals.reversal_listing,
}
