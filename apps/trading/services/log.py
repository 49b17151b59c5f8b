"""The transparency log: facts are appended in their own transaction, then sealed by one process at a time.

Sequencing gives every committed entry its place, without gaps, in the order of ids among those it can see.
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
#: One block, and so one transaction, takes no more entries than this; a longer queue becomes several blocks.
BLOCK_ENTRIES = 8192
#: An empty block is sealed after so long, to show that the log is alive and still says the same.
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
    """The bytes of an entry: canonical JSON, so that anybody can make them again from what they say."""
    return canonical.encode({"v": 1, "kind": kind, "body": body})


def leaf_hash(kind: str, body: dict[str, Any]) -> str:
    """What an entry is called: the hash of its leaf, in hex."""
    return merkle.leaf_hash(leaf_of(kind, body)).hex()


def append(kind: str, bodies: Sequence[dict[str, Any]]) -> list[str]:
    """Write facts to the log, in the transaction that makes them true; returns their leaf hashes in the same order.

    Bodies hold strings, whole numbers, null, lists and objects. Two equal bodies are an error: each names its subject.
    """
    leaves = [leaf_of(kind, body) for body in bodies]
    hashes = [merkle.leaf_hash(leaf).hex() for leaf in leaves]
    if leaves:
        with atomic(LogEntry), cursor(LogEntry) as sql:
            sql.execute(INSERT, [kind, leaves, hashes])
    return hashes


def seal(*, heartbeat: bool = False) -> list[Block]:
    """Seal all entries committed so far into blocks; returns them, none when another process is sealing.

    With `heartbeat` an empty block is sealed when there is nothing else to say.
    """
    sealed: list[Block] = []
    while block := seal_block(heartbeat=heartbeat and not sealed):
        sealed.append(block)
        if block.count < BLOCK_ENTRIES:
            break
    return sealed


def seal_if_due() -> list[Block]:
    """Seal when enough entries wait, when one waits long enough, or when the log has been silent for long."""
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
    """Sequence what waits, extend the tree, sign the new head: one transaction, one process at a time."""
    with advisory_lock(LogEntry, LOCK) as held:
        if not held:
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
    """Before the first block signed by a new key, the log itself says so, in the name of both keys."""
    rotation = blocks.rotation_since(previous)
    if rotation:
        append("key.rotate", [rotation])


def sequence(first: int) -> list[bytes]:
    """Give waiting entries the next places; returns their leaf hashes, made again from the bytes now in the table."""
    with cursor(LogEntry) as sql:
        # While the statistics call the table empty, PostgreSQL would scan it once per row: a minute, not 0.3 s.
        sql.execute("SET LOCAL enable_nestloop = off; SET LOCAL enable_seqscan = off")
        sql.execute(SEQUENCE, [BLOCK_ENTRIES, first])
        sql.execute("SELECT leaf, leaf_hash FROM trading_logentry WHERE idx >= %s ORDER BY idx", [first])
        rows = sql.fetchall()
    leaves = [merkle.leaf_hash(bytes(leaf)) for leaf, _ in rows]
    if any(made.hex() != kept for made, (_, kept) in zip(leaves, rows, strict=True)):
        raise LogDamaged("An entry's bytes do not give the hash it was appended with.")
    return leaves
