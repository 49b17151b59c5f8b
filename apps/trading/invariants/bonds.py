"""Invariants of bonds (docs/ledger.md): M5 at every instant, and at rest none outlives its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aitbc.core.db import cursor
from aitbc.core.invariants import invariant
from apps.marketplace import interface as market
from apps.trading.models import Bond

LIMIT = 100


def rows(statement: str) -> Iterator[tuple[Any, ...]]:
    """The first LIMIT rows of a query."""
    with cursor(Bond) as sql:
        sql.execute(statement)
        yield from sql.fetchmany(LIMIT)


# Per owner: the sum of its held bonds, what is pending on its bond account, and that account's balance, which is 0.
STANDING = """
WITH bonds AS (SELECT owner_id, sum(amount) AS held FROM trading_bond WHERE state = 'held' GROUP BY 1),
accounts AS (
  SELECT owner_id, pending_credits AS pending, posted_credits - posted_debits AS balance
  FROM trading_ledgeraccount WHERE kind = 'bond'
)
SELECT coalesce(b.owner_id, a.owner_id), coalesce(b.held, 0), coalesce(a.pending, 0), coalesce(a.balance, 0)
FROM bonds b FULL JOIN accounts a USING (owner_id)
WHERE coalesce(b.held, 0) <> coalesce(a.pending, 0) OR coalesce(a.balance, 0) <> 0
"""
AGAINST_HOLD = """
SELECT b.id, b.state FROM trading_bond b
LEFT JOIN trading_transfer h ON h.id = b.hold_id LEFT JOIN trading_transfer r ON r.pending_id = b.hold_id
LEFT JOIN trading_transfer c ON c.ref = b.ref AND c.code = 'compensate'
WHERE b.state = 'refused' AND h.id IS NOT NULL
  OR b.state <> 'refused' AND (
    h.id IS NULL OR h.amount <> b.amount OR (b.state = 'held') <> (r.id IS NULL)
    OR b.state = 'released' AND (r.phase IS DISTINCT FROM 'void' OR b.forfeited <> 0)
    OR b.state = 'forfeited' AND (r.phase IS DISTINCT FROM 'post' OR r.amount <> b.forfeited)
    OR coalesce(c.amount, 0) <> b.forfeited)
"""
STRAY_BONDS = """
SELECT t.id, t.code FROM trading_transfer t LEFT JOIN trading_bond b ON b.ref = t.ref
WHERE t.code IN ('bond', 'compensate') AND b.id IS NULL
"""


@invariant("M5", db="trading")
def bonds_are_pending() -> Iterable[str]:
    """An owner's held bonds are exactly what is pending on its bond account, whose balance is 0."""
    for owner_id, held, pending, balance in rows(STANDING):
        yield f"owner {owner_id} has held bonds of {held}; its bond account has {pending} pending and balance {balance}"
    for pk, state in rows(AGAINST_HOLD):
        yield f"bond {pk} is {state}, which its transfers contradict"
    for pk, code in rows(STRAY_BONDS):
        yield f"{code} {pk} belongs to no bond"


@invariant("M5", db="trading", quiescent=True)
def no_bond_outlives_its_reason() -> Iterable[str]:
    """A bond is held only for an open bid or a booking that is not over."""
    held = list(Bond.objects.held().values_list("pk", flat=True))
    for pk in [*market.bids_over(held), *(fact.booking_id for fact in market.over(held))]:
        yield f"bond {pk} is still held, but its bid or booking is over"
