"""Invariants of money that leaves (docs/ledger.md): T10 and T12, at every instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aitbc.core.db import cursor
from aitbc.core.invariants import invariant
from apps.trading.models import Withdrawal

LIMIT = 100


def rows(statement: str) -> Iterator[tuple[Any, ...]]:
    """The first LIMIT rows of a query."""
    with cursor(Withdrawal) as sql:
        sql.execute(statement)
        yield from sql.fetchmany(LIMIT)


CONTRADICTED = """
SELECT w.id, w.state FROM trading_withdrawal w
LEFT JOIN trading_transfer h ON h.id = w.hold_id LEFT JOIN trading_transfer r ON r.pending_id = w.hold_id
LEFT JOIN trading_ledgeraccount d ON d.id = h.debit_id LEFT JOIN trading_ledgeraccount c ON c.id = h.credit_id
WHERE h.id IS NULL
  OR (h.amount, h.code, h.phase, h.ref) IS DISTINCT FROM (w.amount, 'withdrawal', 'pending', w.id)
  OR (d.owner_id, d.kind, c.kind) IS DISTINCT FROM (w.owner_id, 'available', 'external')
  OR (w.state IN ('requested', 'proposed', 'approved')) <> (r.id IS NULL)
  OR w.state = 'paid' AND (r.phase, r.amount) IS DISTINCT FROM ('post', w.amount)
  OR w.state IN ('rejected', 'cancelled', 'expired') AND r.phase IS DISTINCT FROM 'void'
"""
UNDECIDED = """
SELECT id, state FROM trading_withdrawal
WHERE state = 'paid' AND external_reference = ''
  OR two_person AND state IN ('approved', 'paid')
    AND (proposed_by IS NULL OR approved_by IS NULL OR proposed_by = approved_by)
"""
STRAY = """
SELECT t.id FROM trading_transfer t LEFT JOIN trading_withdrawal w ON w.hold_id IN (t.id, t.pending_id)
WHERE t.code = 'withdrawal' AND w.id IS NULL
"""


@invariant("T12", db="trading")
def withdrawals_are_their_transfers() -> Iterable[str]:
    """A withdrawal's money is held until it ends, leaves when it is paid, and is free again otherwise."""
    for pk, state in rows(CONTRADICTED):
        yield f"withdrawal {pk} is {state}, which its transfers contradict"
    for pk, state in rows(UNDECIDED):
        yield f"withdrawal {pk} is {state} without the decisions or the reference that it needs"
    for (pk,) in rows(STRAY):
        yield f"withdrawal transfer {pk} belongs to no withdrawal"


# The account outside is one side of what comes in, goes out or goes back, and of nothing else.
OUTSIDE = """
SELECT t.id, t.code FROM trading_transfer t
JOIN trading_ledgeraccount d ON d.id = t.debit_id JOIN trading_ledgeraccount c ON c.id = t.credit_id
WHERE d.kind = 'external' AND (t.code, t.phase) <> ('deposit', 'single')
  OR c.kind = 'external' AND t.code <> 'withdrawal' AND (t.code, t.phase) <> ('reversal', 'single')
"""


@invariant("T10", db="trading")
def all_money_is_deposits_less_withdrawals() -> Iterable[str]:
    """Money comes in by deposits and leaves by withdrawals and reversals: all accounts hold the difference."""
    for pk, code in rows(OUTSIDE):
        yield f"transfer {pk} ({code}) moved money across the border of the exchange"
