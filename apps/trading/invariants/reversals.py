"""Invariant of reversals (docs/ledger.md): T11, at every instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aitbc.core.db import cursor
from aitbc.core.invariants import invariant
from apps.trading.models import Reversal

LIMIT = 100


def rows(statement: str) -> Iterator[tuple[Any, ...]]:
    """The first LIMIT rows of a query."""
    with cursor(Reversal) as sql:
        sql.execute(statement)
        yield from sql.fetchmany(LIMIT)


# A proposal has no transfer yet, one that was rejected or expired never; a transfer may have had several of those.
CONTRADICTED = """
SELECT v.id, v.state FROM trading_reversal v
LEFT JOIN trading_transfer o ON o.id = v.transfer_id
LEFT JOIN trading_transfer n ON n.id = v.reversal_id
WHERE o.id IS NULL
  OR v.state = 'posted' AND ((n.code, n.phase, n.amount, n.debit_id, n.credit_id, n.ref)
    IS DISTINCT FROM ('reversal', 'single', o.amount, o.credit_id, o.debit_id, o.id)
    OR o.code <> 'deposit' OR o.phase <> 'single'
    OR v.two_person AND (v.proposed_by IS NULL OR v.approved_by IS NULL OR v.proposed_by = v.approved_by))
"""
STRAY = """
SELECT t.id, count(v.id) FROM trading_transfer t
LEFT JOIN trading_reversal v ON v.reversal_id = t.id AND v.state = 'posted' AND v.transfer_id = t.ref
WHERE t.code = 'reversal' GROUP BY t.id HAVING count(v.id) <> 1
"""
TWICE = """
SELECT ref, count(*) FROM trading_transfer WHERE code = 'reversal' GROUP BY ref HAVING count(*) > 1
"""


@invariant("T11", db="trading")
def reversals_mirror_their_transfers() -> Iterable[str]:
    """A posted reversal moves all of one deposit back, once, decided by as many operators as it takes."""
    for pk, state in rows(CONTRADICTED):
        yield f"reversal {pk} is {state}, which its transfers or its operators contradict"
    for pk, count in rows(STRAY):
        yield f"reversal transfer {pk} belongs to {count} posted reversals"
    for ref, count in rows(TWICE):
        yield f"transfer {ref} was reversed {count} times"
