"""The transparency log: entries are appended in the transaction of their fact, then sealed by one process at a time.

Sequencing gives every committed entry its index, without gaps, in the order of ids among the entries it can see.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Min
from django.utils import timezone

from aitbc.core import canonical, params
from aitbc.core.db import atomic, cursor
from aitbc.core.locks import advisory_lock
from aitbc.core.messaging import emit
from apps.trading.errors import LogDamaged
from apps.trading.events import BlockSealed
from apps.trading.logic import merkle
from apps.trading.models import Block, LogEntry
from apps.trading.services import blocks, merkle_store

LOCK = "trading.log.seal"
#: Most entries of one block, and so of one transaction; a longer queue becomes several blocks.
BLOCK_ENTRIES = 8192
#: An empty block is sealed after this long without one, to show that the log is alive and unchanged.
HEARTBEAT = timedelta(minutes=10)

INSERT = """
INSERT INTO trading_logentry (kind, leaf, leaf_hash)
SELECT %s, leaf, leaf_hash FROM unnest(%s::bytea[], %s::text[]) AS t(leaf, leaf_hash)
"""
SEQUENCE = """
WITH waiting AS (
  SELECT id FROM trading_logentry WHERE idx IS NULL ORDER BY id LIMIT %s
), placed AS (
  SELECT id, %s + row_number() OVER (ORDER BY id) - 1 AS idx FROM waiting
)
UPDATE trading_logentry e SET idx = placed.idx FROM placed WHERE e.id = placed.id AND e.idx IS NULL
"""


def leaf_of(kind: str, body: dict[str, Any]) -> bytes:
    """Return the bytes of an entry: canonical JSON (RFC 8785), so that anybody can rebuild them from the fields."""
    return canonical.encode({"v": 1, "kind": kind, "body": body})


def leaf_hash(kind: str, body: dict[str, Any]) -> str:
    """Return the hash by which an entry is named: SHA-256(0x00 ‖ leaf) in hex (RFC 9162 §2.1.1)."""
    return merkle.leaf_hash(leaf_of(kind, body)).hex()


def append(kind: str, bodies: Sequence[dict[str, Any]]) -> list[str]:
    """Append entries in the transaction of the facts they record; returns their leaf hashes in the same order.

    Bodies hold strings, whole numbers, null, lists and objects. Raises IntegrityError for a body that is in the log
    already: each names its subject, so no two are equal.
    """
    leaves = [leaf_of(kind, body) for body in bodies]
    hashes = [merkle.leaf_hash(leaf).hex() for leaf in leaves]
    if leaves:
        with atomic(LogEntry), cursor(LogEntry) as sql:
            sql.execute(INSERT, [kind, leaves, hashes])
    return hashes


def seal(*, heartbeat: bool = False) -> list[Block]:
    """Seal all entries committed so far; returns the new blocks, none when another process is sealing.

    With `heartbeat` an empty block is sealed when no entry waits. Raises LogDamaged.
    """
    sealed: list[Block] = []
    while block := seal_block(heartbeat=heartbeat and not sealed):
        sealed.append(block)
        if block.count < BLOCK_ENTRIES:
            break
    return sealed


def seal_if_due() -> list[Block]:
    """Seal when `log.seal_max` entries wait, one has waited `log.seal_interval_s`, or no block came for HEARTBEAT.

    Returns the new blocks.
    """
    now = timezone.now()
    newest = Block.objects.newest()
    silent = newest is None or now - newest.sealed_at >= HEARTBEAT
    oldest = LogEntry.objects.waiting().aggregate(at=Min("created_at"))["at"]
    late = oldest is not None and now - oldest >= timedelta(seconds=params.get("log.seal_interval_s"))
    most = params.get("log.seal_max")
    if silent or late or LogEntry.objects.waiting()[most - 1 : most].exists():
        return seal(heartbeat=silent)
    return []


def seal_block(*, heartbeat: bool = False) -> Block | None:
    """Sequence the waiting entries, extend the tree and sign the new head, in one transaction of one process.

    Returns the block; None when another process is sealing, or nothing waits and no heartbeat is due.
    """
    with advisory_lock(LogEntry, LOCK) as acquired:
        if not acquired:
            return None
        previous = Block.objects.newest()
        frontier = blocks.frontier_after(previous)
        announce_key(previous)
        leaves = sequence(frontier.size)
        if not leaves and not heartbeat:
            return None
        merkle_store.extend(frontier.size, leaves)
        block = blocks.build(previous, frontier, leaves)
        block.save(force_insert=True)
        emit(BlockSealed(height=str(block.height), block_hash=block.hash, tree_size=block.tree_size), by="trading")
        return block


def announce_key(previous: Block | None) -> None:
    """Append the announcement of a new signing key, signed by both keys, before the first block signed by it."""
    rotation = blocks.rotation_since(previous)
    if rotation:
        append("key.rotate", [rotation])


def sequence(first: int) -> list[bytes]:
    """Give waiting entries the indexes from `first` on; returns leaf hashes computed from the bytes in the table.

    Raises LogDamaged when a hash is not the one the entry was appended with.
    """
    with cursor(LogEntry) as sql:
        # While the statistics call the table empty, PostgreSQL would scan it once per row: a minute, not 0.3 s.
        sql.execute("SET LOCAL enable_nestloop = off; SET LOCAL enable_seqscan = off")
        sql.execute(SEQUENCE, [BLOCK_ENTRIES, first])
        sql.execute("SELECT leaf, leaf_hash FROM trading_logentry WHERE idx >= %s ORDER BY idx", [first])
        rows = sql.fetchall()
    leaves = [merkle.leaf_hash(bytes(leaf)) for leaf, _ in rows]
    if any(computed.hex() != stored for computed, (_, stored) in zip(leaves, rows, strict=True)):
        raise LogDamaged("An entry's bytes do not hash to what it was appended with.")
    return leaves
