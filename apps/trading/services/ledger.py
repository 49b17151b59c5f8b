"""The double-entry ledger: `post` is the only writer of money.

The caller makes a transfer's id from its purpose (`name("payout:<job>")`), so that posting it again changes nothing.
An account's id is random: the log shows it, and nobody can compute it from its owner's id. The transfers of one call
are posted all or none. Rules and postings: docs/ledger.md; data model: TigerBeetle's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.utils import timezone

from aitbc.core.db import atomic, cursor
from aitbc.core.errors import InsufficientFunds, Invalid
from aitbc.core.money import format_amount
from apps.trading.errors import HoldMismatch, HoldResolved, TransferConflict
from apps.trading.models import EXCHANGE, BalanceSnapshot, LedgerAccount, Transfer
from apps.trading.services import log
from apps.trading.states import MAY_OWE, AccountKind, Code, Phase

LEAF = "tx.transfer"
#: Accounts that every payment touches are split, so that payments of different jobs do not wait for each other.
SHARDS = 8
#: Ids of transfers are UUIDv5 under this name.
NAMESPACE = UUID("5c1f0d3e-9a35-5d1c-8f0e-2d2c7f6c1a11")


def name(purpose: str) -> UUID:
    """Return the id of the one transfer for this purpose, e.g. `payout:<job>`: a UUIDv5."""
    return uuid5(NAMESPACE, purpose)


@dataclass(frozen=True)
class Account:
    """The key of a ledger account; its row has a random id."""

    owner_id: UUID
    kind: AccountKind
    shard: int = 0


def available_of(owner_id: UUID) -> Account:
    """Return the account of what an owner may spend."""
    return Account(owner_id, AccountKind.AVAILABLE)


def escrow_of(owner_id: UUID) -> Account:
    """Return the escrow account of a client's jobs; of a booking when the owner is a booking's id."""
    return Account(owner_id, AccountKind.ESCROW)


def bond_of(owner_id: UUID) -> Account:
    """Return the account of what an owner has pledged as bonds."""
    return Account(owner_id, AccountKind.BOND)


def fees_for(ref: UUID) -> Account:
    """Return the shard of the fee account that receives the fee for this job or booking."""
    return Account(EXCHANGE, AccountKind.FEES, ref.int % SHARDS)


EXTERNAL = Account(EXCHANGE, AccountKind.EXTERNAL)


@dataclass(frozen=True, kw_only=True)
class TransferRequest:
    """A transfer to post; `amount` is micro-AIT, `pending_id` the hold that a POST or VOID resolves."""

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

    def content(self) -> tuple[Any, ...]:
        """Return what two requests of one id must agree in: all but reason and times."""
        return (
            self.debit,
            self.credit,
            self.amount,
            self.code,
            self.phase,
            self.pending_id,
            self.group_id or self.id,
            self.ref,
        )


def row_of(request: TransferRequest, accounts: Mapping[Account, LedgerAccount], *, actor: str) -> Transfer:
    """Return the row of a transfer to post, not saved and without its leaf."""
    return Transfer(
        id=request.id,
        debit_id=accounts[request.debit].pk,
        credit_id=accounts[request.credit].pk,
        amount=request.amount,
        code=request.code.value,
        phase=request.phase.value,
        pending_id=request.pending_id,
        timeout_at=request.timeout_at,
        group_id=request.group_id or request.id,
        ref=request.ref,
        actor=actor,
        reason=request.reason,
        at=request.at,
    )


def content_of(transfer: Transfer) -> tuple[Any, ...]:
    """Return everything about a transfer that may not differ under one id: all but actor, reason and time."""
    return (
        transfer.debit_id,
        transfer.credit_id,
        transfer.amount,
        transfer.code,
        transfer.phase,
        transfer.pending_id,
        transfer.group_id,
        transfer.ref,
    )


def body_of(transfer: Transfer) -> dict[str, Any]:
    """Return the transfer as a leaf of the public log (docs/receipts.md); actor and reason stay private."""
    return {
        "id": str(transfer.id),
        "debit": str(transfer.debit_id),
        "credit": str(transfer.credit_id),
        "amount": format_amount(transfer.amount),
        "code": transfer.code,
        "phase": transfer.phase,
        "pending": str(transfer.pending_id) if transfer.pending_id else None,
        "group": str(transfer.group_id),
        "ref": str(transfer.ref) if transfer.ref else None,
        "at": transfer.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def post(transfers: Sequence[TransferRequest], *, actor: str) -> list[UUID]:
    """Post these transfers, all or none; returns the ids of those that were not posted before.

    Raises InsufficientFunds(needed, available) with decimal strings of AIT, TransferConflict when an id is taken by a
    transfer of other content, HoldResolved and HoldMismatch when a resolution comes second or does not fit its hold,
    Invalid for an amount of 0 or less.
    """
    requested = distinct(transfers)
    if not requested:
        return []
    with atomic(Transfer):
        accounts = lock(account for t in requested.values() for account in (t.debit, t.credit))
        fresh = without_posted({pk: row_of(t, accounts, actor=actor) for pk, t in requested.items()})
        if fresh:
            require_cover(accounts.values(), fresh, open_holds(fresh))
            insert(fresh)
    return [transfer.id for transfer in fresh]


def distinct(transfers: Iterable[TransferRequest]) -> dict[UUID, TransferRequest]:
    """Return the transfers by id, repetitions merged.

    Raises TransferConflict for two contents under one id, Invalid for what is no transfer.
    """
    requested: dict[UUID, TransferRequest] = {}
    for transfer in transfers:
        if transfer.amount <= 0:
            raise Invalid("The amount of a transfer is more than zero.")
        first = requested.setdefault(transfer.id, transfer)
        if first is not transfer and first.content() != transfer.content():
            raise TransferConflict(transfer_id=str(transfer.id))
    return requested


def lock(accounts: Iterable[Account]) -> dict[Account, LedgerAccount]:
    """Lock these accounts in the order of their ids, opening those that do not exist; returns the rows by key."""
    requested = set(accounts)
    rows = locked(requested)
    if len(rows) < len(requested):
        # No lock is held here: who waited for another's new account while holding one would lock out of order.
        open_accounts(requested)
        rows = locked(requested)
    return rows


def locked(accounts: Collection[Account]) -> dict[Account, LedgerAccount]:
    """Lock these accounts in the order of their ids; returns the rows by key, and locks none if one does not exist."""
    keys = [(account.owner_id, account.kind.value, account.shard) for account in accounts]
    rows = LedgerAccount.objects.all_with_keys(keys).locked()
    return {Account(row.owner_id, AccountKind(row.kind), row.shard): row for row in rows}


def open_accounts(accounts: Iterable[Account]) -> None:
    """Insert those of these accounts that do not exist, empty, in one order for all writers."""
    LedgerAccount.objects.bulk_create(
        [
            LedgerAccount(owner_id=a.owner_id, kind=a.kind, shard=a.shard, may_owe=a.kind in MAY_OWE)
            for a in sorted(accounts, key=lambda a: (a.owner_id, a.kind, a.shard))
        ],
        ignore_conflicts=True,
    )


def without_posted(requested: Mapping[UUID, Transfer]) -> list[Transfer]:
    """Return the transfers without those posted already. Raises TransferConflict when the content of one differs."""
    known = Transfer.objects.in_bulk(list(requested))
    for pk, row in known.items():
        if content_of(row) != content_of(requested[pk]):
            raise TransferConflict(transfer_id=str(pk))
    return [transfer for pk, transfer in requested.items() if pk not in known]


def open_holds(fresh: Sequence[Transfer]) -> dict[UUID, Transfer]:
    """Return the pending transfers that these resolve, by id.

    Raises HoldResolved when one is resolved already, HoldMismatch when the accounts or the amount do not fit.
    """
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


def fits(resolution: Transfer, hold: Transfer) -> bool:
    """Return whether a resolution names its hold's accounts and, voiding, its amount or, posting, at most that."""
    same_accounts = (resolution.debit_id, resolution.credit_id) == (hold.debit_id, hold.credit_id)
    whole = resolution.amount == hold.amount
    return same_accounts and (whole if resolution.phase == Phase.VOID else resolution.amount <= hold.amount)


def require_cover(accounts: Iterable[LedgerAccount], fresh: Sequence[Transfer], holds: Mapping[UUID, Transfer]) -> None:
    """Raise InsufficientFunds, which says what is missing, where the CHECK constraint would refuse the insert."""
    change: dict[UUID, int] = defaultdict(int)
    for transfer in fresh:
        if transfer.pending_id:
            change[transfer.debit_id] += holds[transfer.pending_id].amount
        if transfer.phase != Phase.VOID:
            change[transfer.debit_id] -= transfer.amount
        if transfer.phase in (Phase.SINGLE, Phase.POST):
            change[transfer.credit_id] += transfer.amount
    for account in accounts:
        delta = change[account.pk]
        if delta < 0 and not account.may_owe and account.available + delta < 0:
            raise InsufficientFunds(needed=format_amount(-delta), available=format_amount(account.available))


INSERT = """
INSERT INTO trading_transfer
  (id, debit_id, credit_id, amount, code, phase, pending_id, timeout_at, group_id, ref, actor, reason, at, leaf)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::uuid[],
  %s::timestamptz[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])
"""


def insert(fresh: Sequence[Transfer]) -> None:
    """Insert transfers and append their leaves to the log; a trigger on the table updates the balances."""
    leaves = log.append(LEAF, [body_of(transfer) for transfer in fresh])
    rows = [
        (
            t.id,
            t.debit_id,
            t.credit_id,
            t.amount,
            t.code,
            t.phase,
            t.pending_id,
            t.timeout_at,
            t.group_id,
            t.ref,
            t.actor,
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
    """Store every account's balances, once a day (UTC); returns how many rows were written, 0 when the day has its own.

    One statement sees all accounts at one instant.
    """
    with cursor(BalanceSnapshot) as sql:
        sql.execute(SNAPSHOT)
        return int(sql.rowcount)
