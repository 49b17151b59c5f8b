"""The ledger: the only writer of money.

A transfer's id is made by the caller from what it is for (`name("payout:<job>")`), so that doing a thing twice is the
same as doing it once. Postings of one call stand or fall together. Spec: TigerBeetle's data model, spec/trading.md §2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID, uuid5

from django.utils import timezone

from aitbc.core.db import atomic, cursor
from aitbc.core.errors import InsufficientFunds, Invalid
from aitbc.core.money import format_amount
from apps.trading.errors import HoldMismatch, HoldResolved, TransferConflict
from apps.trading.models import HOUSE, BalanceSnapshot, LedgerAccount, Transfer
from apps.trading.services import log
from apps.trading.states import MAY_OWE, AccountKind, Code, Phase

LEAF = "tx.transfer"
#: Accounts every payment touches are split, so that payments of different jobs do not wait for each other.
SHARDS = 8
#: Ids of accounts and transfers are UUIDv5 under this name.
NAMESPACE = UUID("5c1f0d3e-9a35-5d1c-8f0e-2d2c7f6c1a11")


def name(meaning: str) -> UUID:
    """The id of the one transfer that may mean this."""
    return uuid5(NAMESPACE, meaning)


@dataclass(frozen=True)
class Account:
    """Which pot of money; its id follows from the rest, so that nobody need look it up."""

    owner_id: UUID
    kind: AccountKind
    shard: int = 0

    @cached_property
    def id(self) -> UUID:
        return uuid5(NAMESPACE, f"{self.owner_id}:{self.kind.value}:{self.shard}")


def available_of(owner_id: UUID) -> Account:
    return Account(owner_id, AccountKind.AVAILABLE)


def escrow_of(owner_id: UUID) -> Account:
    """What a client's jobs pass through; for a booking's own escrow the owner is the booking."""
    return Account(owner_id, AccountKind.ESCROW)


def bond_of(owner_id: UUID) -> Account:
    return Account(owner_id, AccountKind.BOND)


def fees_for(ref: UUID) -> Account:
    """The shard of the fee account that takes the fee for this job."""
    return Account(HOUSE, AccountKind.FEES, ref.int % SHARDS)


EXTERNAL = Account(HOUSE, AccountKind.EXTERNAL)


@dataclass(frozen=True, kw_only=True)
class TransferRequest:
    """One movement of money that the caller wants to be a fact."""

    id: UUID
    debit: Account
    credit: Account
    amount: int
    code: Code
    phase: Phase = Phase.SINGLE
    pending_id: UUID | None = None
    timeout_at: datetime | None = None
    group_id: UUID | None = None
    ref: UUID | None = None
    reason: str = ""
    at: datetime = field(default_factory=timezone.now, compare=False)

    @property
    def debit_id(self) -> UUID:
        return self.debit.id

    @property
    def credit_id(self) -> UUID:
        return self.credit.id

    def says(self) -> tuple[Any, ...]:
        """What makes two transfers of one id the same."""
        return meaning_of(self)


def meaning_of(transfer: Transfer | TransferRequest) -> tuple[Any, ...]:
    return (
        transfer.debit_id,
        transfer.credit_id,
        transfer.amount,
        str(transfer.code),
        str(transfer.phase),
        transfer.pending_id,
        transfer.group_id or transfer.id,
        transfer.ref,
    )


def body_of(transfer: Transfer | TransferRequest) -> dict[str, Any]:
    """The transfer as a leaf of the public log; who asked and why stay private."""
    return {
        "id": str(transfer.id),
        "debit": str(transfer.debit_id),
        "credit": str(transfer.credit_id),
        "amount": format_amount(transfer.amount),
        "code": str(transfer.code),
        "phase": str(transfer.phase),
        "pending": str(transfer.pending_id) if transfer.pending_id else None,
        "group": str(transfer.group_id or transfer.id),
        "ref": str(transfer.ref) if transfer.ref else None,
        "at": transfer.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def post(transfers: Sequence[TransferRequest], *, actor: str) -> list[UUID]:
    """Make these transfers facts, all or none; returns the ids that were not facts before.

    Raises InsufficientFunds(needed, available) in micro-AIT as decimal strings, TransferConflict when an id is taken
    by another transfer, HoldResolved and HoldMismatch when a resolution comes late or does not fit.
    """
    wanted = distinct(transfers)
    if not wanted:
        return []
    with atomic(Transfer):
        accounts = lock(account for t in wanted.values() for account in (t.debit, t.credit))
        fresh = without_known(wanted)
        if fresh:
            holds = open_holds(fresh)
            require_cover(accounts, fresh, holds)
            insert(fresh, actor=actor)
    return [transfer.id for transfer in fresh]


def distinct(transfers: Iterable[TransferRequest]) -> dict[UUID, TransferRequest]:
    """The transfers by id; the same one twice is one, two different ones under one id are a conflict."""
    wanted: dict[UUID, TransferRequest] = {}
    for transfer in transfers:
        if transfer.amount <= 0:
            raise Invalid("An amount of money to move is more than zero.")
        first = wanted.setdefault(transfer.id, transfer)
        if first is not transfer and first.says() != transfer.says():
            raise TransferConflict(transfer_id=str(transfer.id))
    return wanted


def lock(accounts: Iterable[Account]) -> dict[UUID, LedgerAccount]:
    """Lock these accounts in the order of their ids, opening those that do not exist yet."""
    wanted = {account.id: account for account in accounts}
    rows = {row.pk: row for row in LedgerAccount.objects.filter(pk__in=wanted).locked()}
    if len(rows) < len(wanted):
        open_accounts(wanted[pk] for pk in sorted(wanted.keys() - rows.keys()))
        rows = {row.pk: row for row in LedgerAccount.objects.filter(pk__in=wanted).locked()}
    return rows


def open_accounts(accounts: Iterable[Account]) -> None:
    LedgerAccount.objects.bulk_create(
        [
            LedgerAccount(id=a.id, owner_id=a.owner_id, kind=a.kind, shard=a.shard, may_owe=a.kind in MAY_OWE)
            for a in accounts
        ],
        ignore_conflicts=True,
    )


def without_known(wanted: dict[UUID, TransferRequest]) -> list[TransferRequest]:
    """Leave out what is a fact already; raises TransferConflict when the fact is a different one."""
    known = Transfer.objects.in_bulk(list(wanted))
    for pk, row in known.items():
        if meaning_of(row) != wanted[pk].says():
            raise TransferConflict(transfer_id=str(pk))
    return [transfer for pk, transfer in wanted.items() if pk not in known]


def open_holds(fresh: Sequence[TransferRequest]) -> dict[UUID, Transfer]:
    """The pending transfers these resolve; each may be resolved once, between its own accounts, up to its amount."""
    resolutions = {t.pending_id: t for t in fresh if t.pending_id}
    if not resolutions:
        return {}
    holds = Transfer.objects.filter(phase=Phase.PENDING).in_bulk(list(resolutions))
    resolved = Transfer.objects.filter(pending_id__in=list(resolutions)).values_list("pending_id", flat=True).first()
    if resolved or len(resolutions) < sum(t.pending_id is not None for t in fresh):
        raise HoldResolved(transfer_id=str(resolved or ""))
    for pk, resolution in resolutions.items():
        if pk not in holds or not fits(resolution, holds[pk]):
            raise HoldMismatch(transfer_id=str(pk))
    return holds


def fits(resolution: TransferRequest, hold: Transfer) -> bool:
    same_way = (resolution.debit_id, resolution.credit_id) == (hold.debit_id, hold.credit_id)
    whole = resolution.amount == hold.amount
    return same_way and (whole if resolution.phase == Phase.VOID else resolution.amount <= hold.amount)


def require_cover(
    accounts: dict[UUID, LedgerAccount], fresh: Sequence[TransferRequest], holds: dict[UUID, Transfer]
) -> None:
    """Say what is missing before the CHECK constraint would."""
    change: dict[UUID, int] = defaultdict(int)
    for transfer in fresh:
        if transfer.pending_id:
            change[transfer.debit_id] += holds[transfer.pending_id].amount
        if transfer.phase != Phase.VOID:
            change[transfer.debit_id] -= transfer.amount
        if transfer.phase in (Phase.SINGLE, Phase.POST):
            change[transfer.credit_id] += transfer.amount
    for pk, delta in change.items():
        account = accounts[pk]
        if not account.may_owe and account.available + delta < 0:
            raise InsufficientFunds(needed=format_amount(-delta), available=format_amount(account.available))


INSERT = """
INSERT INTO trading_transfer
  (id, debit_id, credit_id, amount, code, phase, pending_id, timeout_at, group_id, ref, actor, reason, at, leaf)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::uuid[],
  %s::timestamptz[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])
"""


def insert(fresh: Sequence[TransferRequest], *, actor: str) -> None:
    """Write the rows and their leaves; the trigger on the table moves the balances."""
    leaves = log.append(LEAF, [body_of(transfer) for transfer in fresh])
    rows = [
        (
            t.id,
            t.debit_id,
            t.credit_id,
            t.amount,
            t.code.value,
            t.phase.value,
            t.pending_id,
            t.timeout_at,
            t.group_id or t.id,
            t.ref,
            actor,
            t.reason,
            t.at,
            leaf,
        )
        for t, leaf in zip(fresh, leaves, strict=True)
    ]
    with cursor(Transfer) as sql:
        sql.execute(INSERT, [list(column) for column in zip(*rows, strict=True)])


SNAPSHOT = """
INSERT INTO trading_balancesnapshot
  (account_id, day, posted_debits, posted_credits, pending_debits, pending_credits, taken_at)
SELECT id, (clock_timestamp() AT TIME ZONE 'UTC')::date, posted_debits, posted_credits, pending_debits, pending_credits,
  clock_timestamp() FROM trading_ledgeraccount
ON CONFLICT DO NOTHING
"""


def take_snapshot() -> int:
    """Write down every balance, once a day; one statement sees all accounts at one instant."""
    with cursor(BalanceSnapshot) as sql:
        sql.execute(SNAPSHOT)
        return int(sql.rowcount)
