"""Invariants of withdrawals and reversals (docs/ledger.md): T10 and T10b, at every instant."""

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


AGAINST_HOLD = """
SELECT w.id, w.state FROM trading_withdrawal w
LEFT JOIN trading_transfer h ON h.id = w.hold_id LEFT JOIN trading_transfer r ON r.pending_id = w.hold_id
LEFT JOIN trading_ledgeraccount d ON d.id = h.debit_id LEFT JOIN trading_ledgeraccount c ON c.id = h.credit_id
WHERE h.id IS NULL OR (h.amount, h.code, h.phase) <> (w.amount, 'withdrawal', 'pending') OR h.ref IS DISTINCT FROM w.id
  OR (d.owner_id, d.kind, c.kind) IS DISTINCT FROM (w.owner_id, 'available', 'external')
  OR (w.state IN ('requested', 'proposed', 'approved')) <> (r.id IS NULL)
  OR w.state = 'paid' AND (r.phase, r.amount) IS DISTINCT FROM ('post', w.amount)
  OR w.state IN ('rejected', 'cancelled', 'expired') AND r.phase IS DISTINCT FROM 'void'
"""
DECIDED = """
SELECT id, state FROM trading_withdrawal
WHERE state = 'paid' AND external_reference = ''
  OR two_person AND state IN ('approved', 'paid')
    AND (proposed_by IS NULL OR approved_by IS NULL OR proposed_by = approved_by)
"""
STRAY = """
SELECT t.id FROM trading_transfer t LEFT JOIN trading_withdrawal w ON w.id = t.ref
WHERE t.code = 'withdrawal' AND w.id IS NULL
"""


@invariant("T10", db="trading")
def withdrawals_are_their_transfers() -> Iterable[str]:
    """A withdrawal's money is held until it ends, leaves when it is paid, and is free again otherwise."""
    for pk, state in rows(AGAINST_HOLD):
        yield f"withdrawal {pk} is {state}, which its transfers contradict"
    for pk, state in rows(DECIDED):
        yield f"withdrawal {pk} is {state} without the decisions or the reference that it needs"
    for (pk,) in rows(STRAY):
        yield f"withdrawal transfer {pk} belongs to no withdrawal"


AGAINST_TRANSFER = """
SELECT v.id, v.state FROM trading_reversal v
LEFT JOIN trading_transfer o ON o.id = v.transfer_id LEFT JOIN trading_transfer n ON n.id = v.reversal_id
WHERE o.id IS NULL OR v.state = 'posted' AND (
    (n.code, n.phase, n.amount, n.debit_id, n.credit_id, n.ref)
      IS DISTINCT FROM ('reversal', 'single', o.amount, o.credit_id, o.debit_id, o.id)
    OR v.two_person AND (v.proposed_by IS NULL OR v.approved_by IS NULL OR v.proposed_by = v.approved_by))
"""
STRAY_REVERSALS = """
SELECT t.id, count(v.id) FROM trading_transfer t
LEFT JOIN trading_reversal v ON v.reversal_id = t.id AND v.state = 'posted' AND v.transfer_id = t.ref
WHERE t.code = 'reversal' GROUP BY t.id HAVING count(v.id) <> 1
"""


@invariant("T10b", db="trading")
def reversals_are_their_transfers() -> Iterable[str]:
    """A posted reversal is one transfer of the same amount the other way, decided by as many operators as it takes."""
    for pk, state in rows(AGAINST_TRANSFER):
        yield f"reversal {pk} is {state}, which its transfers or decisions contradict"
    for pk, count in rows(STRAY_REVERSALS):
        yield f"reversal transfer {pk} belongs to {count} posted reversals"
