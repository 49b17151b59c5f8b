"""Invariants of receipts at every instant (docs/receipts.md): I24 and I25."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aitbc.core import signing
from aitbc.core.db import cursor
from aitbc.core.invariants import invariant
from apps.trading.models import LogEntry, Receipt
from apps.trading.selectors.receipts import bundle
from apps.trading.services import receipts
from apps.trading.verifier import verify_receipt

LIMIT = 100
CHUNK = 2000
#: An entry that has waited longer for its block is a violation (the log's maximum merge delay).
MERGE_DELAY = "60 seconds"
#: How many bundles of the newest receipts, and of random ones, go through the stand-alone verifier.
SAMPLE = 25

UNPAIRED = """
SELECT 'job ' || p.job_id || ' is settled without a receipt' FROM trading_payment p
LEFT JOIN trading_receipt r ON r.job_id = p.job_id WHERE p.state = 'settled' AND r.id IS NULL
UNION ALL
SELECT 'receipt ' || r.id || ' is of a job that is not settled' FROM trading_receipt r
LEFT JOIN trading_payment p ON p.job_id = r.job_id AND p.state = 'settled' WHERE p.id IS NULL
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
    """Every settled job has exactly one receipt, signed by a published key, and its row matches what was signed."""
    yield from lines(UNPAIRED)
    for receipt in Receipt.objects.order_by("pk").iterator(CHUNK):
        body, named = receipt.body, (str(receipt.pk), str(receipt.job_id), receipt.client_alias, str(receipt.miner_id))
        if not signing.verify(receipts.TAG, body, receipt.signature, at=receipt.issued_at):
            yield f"receipt {receipt.pk} is not signed by a key of ours"
        elif named != (body["receipt_id"], body["job"], body["client"], body["miner"]):
            yield f"receipt {receipt.pk} has other ids in its row than in its signed body"


@invariant("I25", db="trading")
def every_receipt_is_provably_in_the_log() -> Iterable[str]:
    """Receipts are in the log, entries are sealed within the merge delay, bundles pass the stand-alone verifier."""
    yield from lines(UNLOGGED, MERGE_DELAY)
    sealed = Receipt.objects.filter(leaf__in=LogEntry.objects.exclude(idx=None).values("leaf_hash"))
    chosen = {r.pk: r for order in ("-pk", "?") for r in sealed.order_by(order)[:SAMPLE]}
    keys = signing.published_keys()
    for receipt in chosen.values():
        try:
            verify_receipt.check(bundle(receipt), keys)
        except (verify_receipt.Rejected, LookupError, ValueError) as error:
            yield f"the bundle of receipt {receipt.pk} is rejected: {error}"
