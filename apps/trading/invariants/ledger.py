"""Invariants of the ledger at every instant (docs/ledger.md): I12 to I15, I19, I20."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aitbc.core.db import cursor
from aitbc.core.invariants import each_chunk, invariant
from apps.trading.models import Transfer
from apps.trading.services import log
from apps.trading.services.ledger import LEAF, body_of

LIMIT = 100
COUNTERS = ("posted_debits", "posted_credits", "pending_debits", "pending_credits")
MONEY_TABLES = (
    "trading_ledgeraccount", "trading_transfer", "trading_balancesnapshot", "trading_payment", "trading_escrow",
    "trading_topup", "trading_bond", "trading_withdrawal",
)  # fmt: skip
GUARDS = {
    "trading_transfer": {"trading_transfer_apply", "trading_transfer_no_change", "trading_transfer_no_truncate"},
    "trading_ledgeraccount": {
        "trading_ledgeraccount_guard",
        "trading_ledgeraccount_no_delete",
        "trading_ledgeraccount_no_truncate",
    },
    "trading_balancesnapshot": {"trading_balancesnapshot_no_change", "trading_balancesnapshot_no_truncate"},
    "trading_paymentevent": {"trading_paymentevent_no_change", "trading_paymentevent_no_truncate"},
    "trading_payment": {"trading_payment_guard", "trading_payment_no_delete", "trading_payment_no_truncate"},
    "trading_escrow": {"trading_escrow_guard", "trading_escrow_no_delete", "trading_escrow_no_truncate"},
    "trading_escrowevent": {"trading_escrowevent_no_change", "trading_escrowevent_no_truncate"},
    "trading_reversal": {"trading_reversal_guard", "trading_reversal_no_delete", "trading_reversal_no_truncate"},
    "trading_reversalevent": {"trading_reversalevent_no_change", "trading_reversalevent_no_truncate"},
    "trading_withdrawal": {
        "trading_withdrawal_guard",
        "trading_withdrawal_no_delete",
        "trading_withdrawal_no_truncate",
    },
    "trading_withdrawalevent": {"trading_withdrawalevent_no_change", "trading_withdrawalevent_no_truncate"},
    "trading_topup": {"trading_topup_no_change", "trading_topup_no_truncate"},
    "trading_bond": {"trading_bond_guard", "trading_bond_no_delete", "trading_bond_no_truncate"},
    "trading_bondevent": {"trading_bondevent_no_change", "trading_bondevent_no_truncate"},
}


def rows(statement: str, *values: Any) -> Iterator[tuple[Any, ...]]:
    """The first LIMIT rows of a query."""
    with cursor(Transfer) as sql:
        sql.execute(statement, list(values))
        yield from sql.fetchmany(LIMIT)


@invariant("I12", db="trading")
def debits_equal_credits() -> Iterable[str]:
    """Over all accounts debits equal credits, posted and pending."""
    totals = "sum(posted_credits - posted_debits), sum(pending_credits - pending_debits)"
    for posted, pending in rows(f"SELECT {totals} FROM trading_ledgeraccount"):
        if posted or pending:
            yield f"accounts are out of balance by {posted} posted and {pending} pending micro-AIT"


BROKEN_TRANSFERS = """
SELECT t.id FROM trading_transfer t
LEFT JOIN trading_ledgeraccount d ON d.id = t.debit_id
LEFT JOIN trading_ledgeraccount c ON c.id = t.credit_id
LEFT JOIN trading_transfer h ON h.id = t.pending_id
WHERE d.id IS NULL OR c.id IS NULL OR t.debit_id = t.credit_id OR t.amount <= 0
  OR (t.phase IN ('post', 'void')) IS DISTINCT FROM (t.pending_id IS NOT NULL)
  OR t.pending_id IS NOT NULL AND (
     h.phase IS DISTINCT FROM 'pending' OR (h.debit_id, h.credit_id) <> (t.debit_id, t.credit_id)
     OR t.amount > h.amount OR (t.phase = 'void' AND t.amount <> h.amount))
"""


@invariant("I13", db="trading")
def every_transfer_has_two_sides() -> Iterable[str]:
    """Every transfer debits one account and credits another by the same amount; a resolution fits its hold."""
    for (pk,) in rows(BROKEN_TRANSFERS):
        yield f"transfer {pk} does not have two sides or does not fit its hold"


BALANCES = """
WITH sides AS (
  SELECT t.debit_id AS debit, t.credit_id AS credit,
    CASE WHEN t.phase IN ('single', 'post') THEN t.amount ELSE 0 END AS posted,
    CASE t.phase WHEN 'pending' THEN t.amount WHEN 'single' THEN 0 ELSE -h.amount END AS pending
  FROM trading_transfer t LEFT JOIN trading_transfer h ON h.id = t.pending_id
), sums AS (
  SELECT id, sum(pd) pd, sum(pc) pc, sum(nd) nd, sum(nc) nc FROM (
    SELECT debit AS id, posted AS pd, 0 AS pc, pending AS nd, 0 AS nc FROM sides
    UNION ALL SELECT credit, 0, posted, 0, pending FROM sides
  ) s GROUP BY id
)
SELECT a.id, a.kind FROM trading_ledgeraccount a LEFT JOIN sums s USING (id)
WHERE (a.posted_debits, a.posted_credits, a.pending_debits, a.pending_credits) IS DISTINCT FROM
      (coalesce(s.pd, 0), coalesce(s.pc, 0), coalesce(s.nd, 0), coalesce(s.nc, 0))
"""


@invariant("I14", db="trading")
def balances_are_sums() -> Iterable[str]:
    """Every account's balances are the sums of its transfers."""
    for pk, kind in rows(BALANCES):
        yield f"{kind} account {pk} shows other balances than the sums of its transfers"


@invariant("I15", db="trading")
def no_account_is_overdrawn() -> Iterable[str]:
    """No account but the external one is below zero, holds counted as spent."""
    overdrawn = "(NOT may_owe OR kind <> 'external') AND posted_credits < posted_debits::numeric + pending_debits"
    for pk, kind in rows(f"SELECT id, kind FROM trading_ledgeraccount WHERE {overdrawn}"):
        yield f"{kind} account {pk} is below zero"


NOT_INTEGER = """
SELECT table_name, column_name, data_type FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = ANY(%s)
  AND (data_type IN ('real', 'double precision', 'numeric', 'money')
       OR (column_name = ANY(%s) AND data_type <> 'bigint'))
"""


@invariant("I19", db="trading")
def amounts_are_integers() -> Iterable[str]:
    """Money is counted in whole micro-AIT: no column of a money table can hold a fraction."""
    amounts = [*COUNTERS, "amount", "paid", "fee", "refunded", "forfeited"]
    for table, column, kind in rows(NOT_INTEGER, list(MONEY_TABLES), amounts):
        yield f"{table}.{column} is {kind}"


GUARDING = """
SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relname = ANY(%s) AND t.tgenabled IN ('O', 'A')
"""
SHRUNK = f"""
SELECT a.id, s.day FROM trading_balancesnapshot s JOIN trading_ledgeraccount a ON a.id = s.account_id
WHERE a.posted_debits < s.posted_debits OR a.posted_credits < s.posted_credits LIMIT {LIMIT}
"""


@invariant("I20", db="trading")
def history_is_untouched() -> Iterable[str]:
    """Append-only tables are guarded, every transfer matches its leaf, and totals never shrink."""
    with cursor(Transfer) as sql:
        sql.execute(GUARDING, [list(GUARDS)])
        present = set(sql.fetchall())
    for table, names in GUARDS.items():
        for name in sorted(names - {trigger for owner, trigger in present if owner == table}):
            yield f"guard {name} is missing or off"
    for account, day in rows(SHRUNK):
        yield f"account {account} has smaller totals than on {day}"
    yield from altered_transfers()


def unlike_their_leaves(transfers: list[Transfer]) -> Iterator[str]:
    for transfer in transfers:
        if log.leaf_hash(LEAF, body_of(transfer)) != transfer.leaf:
            yield f"transfer {transfer.pk} was changed after it was posted"


def altered_transfers() -> Iterator[str]:
    """Transfers whose row no longer hashes to its leaf, or whose leaf is not in the log."""
    yield from each_chunk(Transfer.objects.all(), unlike_their_leaves, size=5_000)
    for (pk,) in rows(
        "SELECT t.id FROM trading_transfer t LEFT JOIN trading_logentry l ON l.leaf_hash = t.leaf "
        "WHERE l.leaf_hash IS NULL"
    ):
        yield f"transfer {pk} has no leaf in the log"
    for (leaf,) in rows(
        "SELECT l.leaf_hash FROM trading_logentry l LEFT JOIN trading_transfer t ON t.leaf = l.leaf_hash "
        "WHERE l.kind = %s AND t.id IS NULL",
        LEAF,
    ):
        yield f"leaf {leaf} is of a transfer that is missing"
