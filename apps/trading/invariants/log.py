"""What must be true of receipts and the log at every instant (design/reliability.md §2, I24-I27).

I27 is the log's fsck: it makes every root again from the bytes of the entries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import pairwise

from aitbc.core import canonical, signing
from aitbc.core.db import cursor
from aitbc.core.invariants import invariant
from apps.trading.logic import merkle
from apps.trading.models import Block, LogEntry, Receipt
from apps.trading.services import blocks, receipts
from apps.trading.services.merkle_store import TreeReader
from apps.trading.verifier import verify_receipt

LIMIT = 100
CHUNK = 2000
#: An entry that has waited longer for its block is a violation (the log's maximum merge delay).
MERGE_DELAY = "60 seconds"
#: So many bundles, of the newest receipts and of any, go through the stand-alone verifier.
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
    """Every settled job has exactly one receipt, signed by a published key, and its row says what was signed."""
    yield from lines(UNPAIRED)
    for receipt in Receipt.objects.order_by("pk").iterator(CHUNK):
        body, named = receipt.body, (str(receipt.pk), str(receipt.job_id), receipt.client_alias, str(receipt.miner_id))
        if not signing.verify(receipts.TAG, body, receipt.signature, at=receipt.issued_at):
            yield f"receipt {receipt.pk} is not signed by a key of ours"
        elif named != (body["receipt_id"], body["job"], body["client"], body["miner"]):
            yield f"receipt {receipt.pk} names other things in its row than in what was signed"


@invariant("I25", db="trading")
def every_receipt_is_provably_in_the_log() -> Iterable[str]:
    """Receipts are in the log, entries are sealed within the merge delay, bundles pass the stand-alone verifier."""
    yield from lines(UNLOGGED, MERGE_DELAY)
    sealed = Receipt.objects.filter(leaf__in=LogEntry.objects.exclude(idx=None).values("leaf_hash"))
    chosen = {r.pk: r for order in ("-pk", "?") for r in sealed.order_by(order)[:SAMPLE]}
    keys = signing.published_keys()
    for receipt in chosen.values():
        try:
            verify_receipt.check(receipts.bundle(receipt), keys)
        except (verify_receipt.Rejected, LookupError, ValueError) as error:
            yield f"the bundle of receipt {receipt.pk} is rejected: {error}"


@invariant("I26", db="trading")
def heads_are_consistent() -> Iterable[str]:
    """Each signed head contains the one before it; sizes and times never fall; one size has one root."""
    node = TreeReader()
    for old, new in pairwise(Block.objects.order_by("height").iterator(CHUNK)):
        if new.tree_size < old.tree_size or new.sealed_at < old.sealed_at:
            yield f"block {new.height} is smaller or older than block {old.height}"
            continue
        try:
            proof = merkle.consistency_proof(old.tree_size, new.tree_size, node)
        except (IndexError, ValueError) as error:
            yield f"blocks {old.height} and {new.height} cannot be proven consistent: {error}"
            continue
        roots = [bytes.fromhex(block.header["tree_root"]) for block in (old, new)]
        if not merkle.verify_consistency(old.tree_size, new.tree_size, proof, *roots):
            yield f"block {new.height} does not contain block {old.height}"


@invariant("I27", db="trading")
def roots_follow_from_the_entries() -> Iterable[str]:
    """Every root can be made again from the raw entries, and the blocks form one signed chain without gaps."""
    frontier, batch, previous = merkle.Frontier(), [], None
    entries = raw_entries()
    for block in Block.objects.order_by("height").iterator(CHUNK):
        yield from unchained(block, previous)
        while frontier.size < block.tree_size:
            idx, leaf, kept = next(entries, (None, b"", ""))
            made = merkle.leaf_hash(leaf)
            if idx != frontier.size or made.hex() != kept:
                yield f"the entry at place {frontier.size} is missing or was changed"
                return
            batch.append(made)
            frontier.push(made)
        roots = (merkle.root(batch).hex(), frontier.root().hex())
        if roots != (block.header["batch_root"], block.header["tree_root"]):
            yield f"the roots of block {block.height} do not follow from the entries"
        batch, previous = [], block
    if next(entries, None):
        yield "there are entries with a place that no block seals"


def raw_entries() -> Iterator[tuple[int | None, bytes, str]]:
    placed = LogEntry.objects.exclude(idx=None).order_by("idx")
    for idx, leaf, kept in placed.values_list("idx", "leaf", "leaf_hash").iterator(CHUNK):
        yield idx, bytes(leaf), kept


def unchained(block: Block, previous: Block | None) -> Iterator[str]:
    """What is wrong with a block as a link of the chain."""
    header = block.header
    height, prev, first = (0, blocks.GENESIS, 0)
    if previous:
        height, prev, first = previous.height + 1, previous.hash, previous.tree_size
    if (header["height"], header["prev"], header["first"]) != (height, prev, first) or block.height != height:
        yield f"block {block.height} does not follow on the one before it"
    if hashlib.sha256(canonical.encode(header)).hexdigest() != block.hash:
        yield f"the hash of block {block.height} is not that of its header"
    if (header["tree_size"], header["count"], first + block.count) != (block.tree_size, block.count, block.tree_size):
        yield f"block {block.height} does not count its entries right"
    key = signing.find(block.signature["key_id"])
    if not signing.verify(blocks.TAG, header, block.signature, at=block.sealed_at):
        yield f"block {block.height} is not signed by a key of ours"
    elif key and block.checkpoint != blocks.note(header, key):
        yield f"the checkpoint of block {block.height} says something else"
