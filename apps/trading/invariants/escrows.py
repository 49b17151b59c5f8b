"""Invariants of escrows (docs/ledger.md): T9 at every instant, and at rest none outlives its booking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aitbc.core.db import cursor
from aitbc.core.invariants import each_chunk, invariant
from aitbc.core.money import fee_of
from apps.marketplace import interface as market
from apps.trading.models import Escrow

LIMIT = 100


def rows(statement: str) -> Iterator[tuple[Any, ...]]:
    """The first LIMIT rows of a query."""
    with cursor(Escrow) as sql:
        sql.execute(statement)
        yield from sql.fetchmany(LIMIT)


# The amounts of each escrow's row, against its transfers and its account's balance.
PARTS = """
WITH transferred AS (
  SELECT ref, coalesce(sum(amount) FILTER (WHERE code = 'fund'), 0) AS funded,
    coalesce(sum(amount) FILTER (WHERE code = 'accrue'), 0) AS paid,
    coalesce(sum(amount) FILTER (WHERE code = 'fee'), 0) AS fee,
    coalesce(sum(amount) FILTER (WHERE code = 'return'), 0) AS returned
  FROM trading_transfer WHERE ref IN (SELECT booking_id FROM trading_escrow) GROUP BY ref
)
SELECT e.booking_id, e.state,
  CASE WHEN e.state = 'refused' THEN 0 ELSE e.amount END, e.paid, e.fee, e.refunded,
  coalesce(t.funded, 0), coalesce(t.paid, 0), coalesce(t.fee, 0), coalesce(t.returned, 0),
  coalesce(a.posted_credits::numeric - a.posted_debits, 0)
FROM trading_escrow e LEFT JOIN transferred t ON t.ref = e.booking_id
LEFT JOIN trading_ledgeraccount a ON a.owner_id = e.booking_id AND a.kind = 'escrow'
WHERE (CASE WHEN e.state = 'refused' THEN 0 ELSE e.amount END, e.paid, e.fee, e.refunded)
    IS DISTINCT FROM (coalesce(t.funded, 0), coalesce(t.paid, 0), coalesce(t.fee, 0), coalesce(t.returned, 0))
  OR coalesce(a.posted_credits::numeric - a.posted_debits, 0)
    <> CASE WHEN e.state = 'refused' THEN 0 ELSE e.amount::numeric - e.paid - e.fee - e.refunded END
  OR e.state = 'closed' AND e.amount <> e.paid::numeric + e.fee + e.refunded
"""
STRAY = """
SELECT t.id, t.code FROM trading_transfer t LEFT JOIN trading_escrow e ON e.booking_id = t.ref
WHERE t.code IN ('fund', 'accrue', 'return') AND e.id IS NULL
"""


@invariant("T9", db="trading")
def escrows_add_up() -> Iterable[str]:
    """A booking's escrow holds exactly what was funded, less what was paid, taken as fee and returned."""
    for booking_id, state, *amounts in rows(PARTS):
        recorded, transferred, balance = amounts[:4], amounts[4:8], amounts[8]
        yield (
            f"escrow of booking {booking_id} is {state}: its row has {recorded}, its transfers {transferred}, "
            f"its account {balance}"
        )
    for pk, code in rows(STRAY):
        yield f"{code} {pk} belongs to no escrow"


@invariant("T9b", db="trading")
def escrow_fees_follow_from_their_rate() -> Iterable[str]:
    """A booking's fee is its rate of what was owed, rounded half to even."""
    yield from each_chunk(Escrow.objects.all(), with_another_fee)


def with_another_fee(escrows: list[Escrow]) -> Iterator[str]:
    for one in escrows:
        due = fee_of(one.paid + one.fee, one.fee_bp)
        if one.fee != due:
            where = f"where {one.fee_bp} bp make {due}"
            yield f"the escrow of booking {one.booking_id} took a fee of {one.fee} micro-AIT {where}"


@invariant("T9", db="trading", quiescent=True)
def no_escrow_outlives_its_booking() -> Iterable[str]:
    """A booking that is over has no held escrow."""
    held = list(Escrow.objects.held().values_list("booking_id", flat=True))
    for fact in market.over(held):
        yield f"booking {fact.booking_id} is {fact.outcome}, but its escrow is still held"
