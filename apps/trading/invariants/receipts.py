"""Invariants of receipts at every instant (docs/receipts.md): I24 and I25; what they state: receipt_contents.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from aitbc.core import signing
from aitbc.core.db import cursor
from aitbc.core.invariants import each, each_chunk, invariant
from apps.trading.models import LogEntry, Receipt
from apps.trading.selectors.receipts import bundle
from apps.trading.services import receipts
from apps.trading.verifier import verify_receipt

LIMIT = 100
#: An entry that has waited longer for its block is a violation (the log's maximum merge delay).
MERGE_DELAY = "60 seconds"
#: How many bundles of the newest receipts, and of random ones, go through the stand-alone verifier.
SAMPLE = 25

UNPAIRED = """
SELECT 'job ' || p.job_id || ' is ' || p.state || ' without a receipt' FROM trading_payment p
LEFT JOIN trading_receipt r ON r.job_id = p.job_id
WHERE (p.state = 'settled' OR p.paid::numeric + p.fee > 0) AND r.id IS NULL
UNION ALL
SELECT 'receipt ' || r.id || ' is of a job that is not settled' FROM trading_receipt r
LEFT JOIN trading_payment p ON p.job_id = r.job_id
  AND (p.state = 'settled' OR p.state = 'refunded' AND p.paid::numeric + p.fee > 0)
WHERE r.job_id IS NOT NULL AND p.id IS NULL
"""
# An amount that a receipt states, in micro-AIT; NULL where it is no number, which no sum equals.
MICRO = "CASE WHEN body->>'{0}' ~ '^[0-9]{{1,20}}[.][0-9]{{6}}$' THEN (body->>'{0}')::numeric * 1000000 END AS {0}"
# What an escrow has paid, against the receipts of its slices; each states the total so far.
SLICES = f"""
WITH slices AS (
  SELECT booking_id, slice,
    {", ".join(MICRO.format(name) for name in ("price", "fee", "total"))}
  FROM trading_receipt WHERE booking_id IS NOT NULL
), sums AS (SELECT booking_id, sum(price) AS price, sum(fee) AS fee FROM slices GROUP BY 1)
SELECT 'booking ' || coalesce(e.booking_id, s.booking_id) || ' has receipts of ' || coalesce(s.price, 0) || ' and paid '
  || coalesce(e.paid::numeric + e.fee, 0) || ' micro-AIT, or another fee'
FROM trading_escrow e FULL JOIN sums s USING (booking_id)
WHERE (coalesce(e.paid::numeric + e.fee, 0), coalesce(e.fee, 0))
  IS DISTINCT FROM (coalesce(s.price, 0), coalesce(s.fee, 0))
UNION ALL
SELECT 'slice ' || slice || ' of booking ' || booking_id || ' states another total than its receipts add up to'
FROM (SELECT *, sum(price) OVER (PARTITION BY booking_id ORDER BY slice) AS so_far FROM slices) t
WHERE so_far IS DISTINCT FROM total
"""
UNLOGGED = """
SELECT 'receipt ' || r.id || ' is not in the log' FROM trading_receipt r
LEFT JOIN trading_logentry l ON l.leaf_hash = r.leaf WHERE l.id IS NULL
UNION ALL
SELECT 'entry ' || l.id || ' (' || l.kind || ') waits for a block since ' || l.created_at FROM trading_logentry l
WHERE l.idx IS NULL AND l.created_at < clock_timestamp() - %s::interval
"""


def lines(statement: str, *values: object) -> Iterator[str]:
    with cursor(Receipt) as sql:
        sql.execute(f"{statement} LIMIT {LIMIT}", list(values))
        yield from (line for (line,) in sql.fetchall())


@invariant("I24", db="trading")
def one_verifiable_receipt_per_settled_job() -> Iterable[str]:
    """What was paid for a job or a slice has one receipt, signed by a published key; its row matches what was signed.

    A settled job has one also when its price is 0.
    """
    yield from lines(UNPAIRED)
    yield from lines(SLICES)
    yield from each_chunk(Receipt.objects.all(), unsigned)


def unsigned(found: list[Receipt]) -> Iterator[str]:
    """Yield a line for each receipt that is not signed by us, or whose row is not the one that was signed."""
    for receipt in found:
        if not signing.verify(receipts.tag_of(receipt), receipt.body, receipt.signature, at=receipt.issued_at):
            yield f"receipt {receipt.pk} is not signed by a key of ours"
        elif not names_its_row(receipt):
            yield f"receipt {receipt.pk} has other ids in its row than in its signed body"


def names_its_row(receipt: Receipt) -> bool:
    """Return whether the signed body names the receipt, its subject and its aliases as the row does."""
    row: dict[str, Any] = {"receipt_id": str(receipt.pk), "client": receipt.client_alias}
    if receipt.job_id:
        # Receipts from before miners had aliases name the miner itself.
        row |= {"job": str(receipt.job_id), "miner": receipt.miner_alias or str(receipt.miner_id or "")}
    else:
        row |= {"booking": str(receipt.booking_id), "slice": receipt.slice}
    return all(receipt.body.get(name) == value for name, value in row.items())


@invariant("I25", db="trading")
def every_receipt_is_provably_in_the_log() -> Iterable[str]:
    """Receipts are in the log, entries are sealed within the merge delay, bundles pass the stand-alone verifier."""
    yield from lines(UNLOGGED, MERGE_DELAY)
    sealed = Receipt.objects.filter(leaf__in=LogEntry.objects.exclude(idx=None).values("leaf_hash"))
    chosen = {pk for order in ("-pk", "?") for pk in sealed.order_by(order).values_list("pk", flat=True)[:SAMPLE]}
    keys = signing.published_keys()
    yield from each_chunk(Receipt.objects.filter(pk__in=chosen), lambda found: each(found, partial(unproven, keys)))


def unproven(keys: dict[str, Any], receipt: Receipt) -> Iterator[str]:
    """Yield why the stand-alone verifier rejects the bundle of a receipt, if it does."""
    try:
        verify_receipt.check(bundle(receipt), keys)
    except (verify_receipt.Rejected, LookupError, ValueError) as error:
        yield f"the bundle of receipt {receipt.pk} is rejected: {error}"
