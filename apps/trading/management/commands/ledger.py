"""`manage.py ledger`: money in, out and back, balances, statements and owners on the exchange's own machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from aitbc.accounts.models import Organisation
from aitbc.accounts.services import organisations
from aitbc.core.cli import tables
from aitbc.core.cli.amounts import AIT_ABOVE_ZERO
from aitbc.core.cli.arguments import nonempty, whole
from aitbc.core.cli.commands import ProjectCommand
from aitbc.core.cli.tables import console
from aitbc.core.money import format_amount, parse_amount
from apps.trading.management.subcommands import withdrawals
from apps.trading.management.subcommands.lookups import OWNER, by_id, owner_of
from apps.trading.models import LedgerAccount, Reversal, Transfer
from apps.trading.services import deposits, reversals
from apps.trading.services.operators import SHELL
from apps.trading.states import CURRENCY, AccountKind, Code, Phase, ReversalState

EXAMPLES = """\
  manage.py ledger mint demo-client 100 --reason "play money for the demo"
  manage.py ledger balance              every owner's balance
  manage.py ledger balance demo-client --json
  manage.py ledger balance 0190f3c2
  manage.py ledger statement demo-client --limit 50
  manage.py ledger owners demo          whose name or username contains "demo"
  manage.py ledger reverse 0f8fad5b-d9cb-469f-a165-70867728950e --reason "credited twice"
  manage.py ledger reversals
  manage.py ledger withdraw demo-client 10 --to "IBAN DE02 1203 0000 0000 2020 51"
  manage.py ledger withdrawals --state requested
  manage.py ledger approve 01a22621-1177-7326-a070-a46c50a30eb1
  manage.py ledger reject 01a22621-1177-7326-a070-a46c50a30eb1 --reason "unknown bank"
  manage.py ledger pay 01a22621-1177-7326-a070-a46c50a30eb1 --reference "bank transfer 4711"
"""


class Command(ProjectCommand):
    """Put money in, look at balances and statements."""

    examples = EXAMPLES

    help = "Money: deposits (mint), reversals, withdrawals, balances, statements, owners."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON instead of a table")
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
        self.add_balances(verbs)
        self.add_reversals(verbs)
        withdrawals.add(self, verbs)
        for verb in verbs.choices.values():
            verb.add_argument(
                "--json", action="store_true", dest="as_json", default=argparse.SUPPRESS, help="print JSON"
            )

    def add_balances(self, verbs: Any) -> None:
        mint = self.verb(verbs, "mint", "credit an owner from outside")
        mint.add_argument("owner", type=nonempty, help=OWNER)
        mint.add_argument("amount", type=AIT_ABOVE_ZERO, help='in AIT, e.g. "12.5"')
        mint.add_argument("--reason", type=nonempty, required=True, help="kept with the transfer for ever")
        balance = self.verb(verbs, "balance", "what owners have")
        balance.add_argument("owner", type=nonempty, nargs="?", help=f"{OWNER}; all of them when left out")
        statement = self.verb(verbs, "statement", "an owner's transfers, newest first")
        statement.add_argument("owner", type=nonempty, help=OWNER)
        statement.add_argument("--limit", type=whole(1, 10_000), default=20, help="how many (20)")
        owners = self.verb(verbs, "owners", "names, usernames and ids of owners")
        owners.add_argument("text", nargs="?", default="", help="part of a name or username")

    def add_reversals(self, verbs: Any) -> None:
        reverse = self.verb(verbs, "reverse", "take a deposit back by a new transfer")
        reverse.add_argument("transfer", help="its id, as `statement` shows it, or the beginning of that")
        reverse.add_argument("--reason", type=nonempty, required=True, help="kept with the transfer for ever")
        listing = self.verb(verbs, "reversals", "reversals, newest first")
        listing.add_argument("--limit", type=whole(1, 10_000), default=20, help="how many (20)")

    def handle(self, *, verb: str, as_json: bool, **options: Any) -> None:
        try:
            title, rows = VERBS[verb](**options)
        except ValueError as error:
            raise CommandError(str(error)) from None
        if as_json:
            self.stdout.write(json.dumps(rows, indent=2))
        else:
            console(self.stdout).print(tables.rows(title, rows, tuple(rows[0]) if rows else ()))


def mint(*, owner: str, amount: str, reason: str, **_: Any) -> tuple[str, list[dict[str, Any]]]:
    organisation = owner_of(owner)
    transfer = deposits.deposit(
        owner_id=organisation.pk, amount=parse_amount(amount), reason=reason, actor="operator:shell"
    )
    row = {"transfer": str(transfer.pk), "owner": organisation.name, "amount": format_amount(transfer.amount)}
    return f"Minted, {CURRENCY}", [row]


def balance(*, owner: str | None, **_: Any) -> tuple[str, list[dict[str, Any]]]:
    query = LedgerAccount.objects.all()
    if owner:
        query = query.owned_by(owner_of(owner).pk).of_kind(AccountKind.AVAILABLE)
    accounts = list(query)
    names = dict(Organisation.objects.filter(pk__in={a.owner_id for a in accounts}).values_list("pk", "name"))
    rows = [
        {
            "owner": names.get(shards[0].owner_id, owner_label(shards[0])),
            "kind": kind,
            "available": format_amount(sum(one.available for one in shards)),
            "held": format_amount(sum(one.held for one in shards)),
            "total": format_amount(sum(one.balance for one in shards)),
        }
        for kind, shards in by_purpose(accounts)
    ]
    return f"Balances, {CURRENCY}", rows


def by_purpose(accounts: list[LedgerAccount]) -> Iterator[tuple[str, list[LedgerAccount]]]:
    """Each kind of account of each owner with its shards, from accounts in the ledger's order."""
    for (_, kind), shards in groupby(accounts, key=lambda one: (one.owner_id, one.kind)):
        yield kind, list(shards)


def owner_label(account: LedgerAccount) -> str:
    """Who owns an account that no organisation owns: the exchange, or a booking (its escrow)."""
    if account.owner_id.int == 0:
        return "the exchange"
    return f"booking {account.owner_id}" if account.kind == AccountKind.ESCROW else str(account.owner_id)


def statement(*, owner: str, limit: int, **_: Any) -> tuple[str, list[dict[str, Any]]]:
    organisation = owner_of(owner)
    account = LedgerAccount.objects.owned_by(organisation.pk).of_kind(AccountKind.AVAILABLE).first()
    if account is None:
        return f"{organisation.name} has no transfers", []
    transfers = Transfer.objects.touching(account.pk).order_by("-seq")[:limit]
    return f"Statement of {organisation.name}, {CURRENCY}", [line(transfer, account.pk) for transfer in transfers]


def line(transfer: Transfer, account_id: UUID) -> dict[str, Any]:
    """One line of a statement: minus is money out; pending and void rows set aside and release."""
    out = transfer.debit_id == account_id and transfer.phase in (Phase.SINGLE, Phase.POST)
    return {
        "id": str(transfer.pk),
        "at": formatted(transfer.at),
        "amount": format_amount(-transfer.amount if out else transfer.amount),
        "code": transfer.code,
        "what": Code(transfer.code).label,
        "phase": transfer.phase,
        "for": str(transfer.ref) if transfer.ref else None,
        "reason": transfer.reason or None,
    }


def formatted(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def owners(*, text: str, **_: Any) -> tuple[str, list[dict[str, Any]]]:
    found = organisations.containing(text)
    return "Owners", [
        {"name": one.name, "username": one.person.username if one.person else None, "id": str(one.pk)} for one in found
    ]


def reverse(*, transfer: str, reason: str, **_: Any) -> tuple[str, list[dict[str, Any]]]:
    found = by_id(Transfer.objects.all(), "transfer", transfer)
    row = reversals.reverse(transfer_id=found.pk, operator=SHELL, reason=reason)
    return f"Reversed, {CURRENCY}", [reversal_line(row)]


def reversal_list(*, limit: int, **_: Any) -> tuple[str, list[dict[str, Any]]]:
    rows = Reversal.objects.select_related("transfer").order_by("-id")[:limit]
    return f"Reversals, {CURRENCY}", [reversal_line(row) for row in rows]


def reversal_line(row: Reversal) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "state": str(row.state),
        "amount": format_amount(row.amount),
        "transfer": str(row.transfer_id),
        "reversed by": str(row.reversal_id) if row.state == ReversalState.POSTED else None,
        "reason": row.reason,
    }


VERBS: dict[str, Callable[..., tuple[str, list[dict[str, Any]]]]] = {
    "mint": mint,
    "balance": balance,
    "statement": statement,
    "owners": owners,
    "reverse": reverse,
    "reversals": reversal_list,
    **withdrawals.VERBS,
}
