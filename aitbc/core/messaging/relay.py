"""Carrying facts from one domain's outbox to another domain's handlers: in batches, in order per key, exactly once.

The lock on a key's oldest row is the lock on the key (FOR UPDATE SKIP LOCKED); a delivered row is deleted after the
consumer committed; a crash in between redelivers, and the consumer's inbox absorbs it. An event that cannot be handled
delays only its own key and becomes a dead letter in the end.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import Error, InterfaceError, OperationalError, connections, transaction

from aitbc.core import jsonb
from aitbc.core.db import retrying, sqlstate
from aitbc.core.messaging import EVENTS, HANDLERS, pairs
from aitbc.core.messaging.models import ATTEMPTS, DROPPED, NEVER

log = logging.getLogger(__name__)

BATCH = 200
FOLLOWERS = 8
LONGEST_PAUSE = 300.0
DOWN = ("08", "53", "57P0")

CLAIM = """
WITH seen AS MATERIALIZED (
  SELECT id, key FROM {table} WHERE consumer = %(consumer)s AND due_at <= statement_timestamp()
  ORDER BY due_at, id LIMIT %(scan)s
), heads AS MATERIALIZED (
  SELECT o.id, o.key FROM seen
  CROSS JOIN LATERAL (
    SELECT f.id FROM {table} f WHERE f.consumer = %(consumer)s AND f.key = seen.key ORDER BY f.id LIMIT 1) first
  JOIN {table} o ON o.id = seen.id
  WHERE first.id = seen.id
  LIMIT %(limit)s FOR UPDATE OF o SKIP LOCKED
)
SELECT r.id, r.message_id, r.name, r.key, r.payload::text, r.attempts, (SELECT count(*) FROM seen) FROM heads
CROSS JOIN LATERAL (SELECT * FROM {table} f WHERE f.consumer = %(consumer)s AND f.key = heads.key AND f.id >= heads.id
                    ORDER BY f.id LIMIT least(%(followers)s, greatest(1, %(limit)s / (SELECT count(*) FROM heads)))) r
ORDER BY r.id"""
DUE = "SELECT EXISTS (SELECT 1 FROM {table} WHERE consumer = %s AND due_at <= statement_timestamp())"
INBOX = """INSERT INTO {table} (message_id, name) SELECT m, %s FROM unnest(%s::uuid[]) m
ON CONFLICT DO NOTHING RETURNING message_id"""
DELETE = "DELETE FROM {table} WHERE id = ANY(%s)"
FAIL = "UPDATE {table} SET attempts = %s, last_error = %s WHERE id = %s"
POSTPONE = "UPDATE {table} SET due_at = %s WHERE consumer = %s AND key = %s"
BACK_OFF = """UPDATE {table} SET due_at = statement_timestamp() + %s * interval '1 second'
WHERE consumer = %s AND key = %s"""
RELEASE = (
    "UPDATE {table} SET due_at = clock_timestamp() WHERE consumer = %s AND key = ANY(%s) AND due_at > clock_timestamp()"
)
PARK = """
UPDATE {table} f SET due_at = h.due_at FROM (
  SELECT f.id, h.due_at FROM {table} h JOIN {table} f
    ON f.consumer = h.consumer AND f.key = h.key AND f.id > h.id AND f.due_at < h.due_at
  WHERE h.attempts > 0 AND h.due_at > clock_timestamp() LIMIT 5000
) h WHERE f.id = h.id"""


class ConsumerDown(Exception):
    """The consumer's database cannot be reached; nothing is held against the events."""


@dataclass
class Row:
    """One outbox row in hand."""

    id: int
    message_id: UUID
    name: str
    key: str
    payload: str
    attempts: int
    error: str = ""

    def event(self) -> Any:
        return EVENTS[self.name].read(jsonb.loads(self.payload))


@dataclass
class Outcome:
    """What became of a batch."""

    delivered: list[Row] = field(default_factory=list)
    failed: list[Row] = field(default_factory=list)
    down: bool = False

    @property
    def spoiled(self) -> set[str]:
        return {row.key for row in self.failed}


def waves(rows: Sequence[Row]) -> list[list[Row]]:
    """Group rows into calls: one fact per group, at most one row per key, a key's rows in order of groups."""
    groups: list[list[Row]] = []
    last: dict[str, int] = {}
    for row in rows:
        start = last.get(row.key, -1) + 1
        place = next((i for i in range(start, len(groups)) if groups[i][0].name == row.name), len(groups))
        if place == len(groups):
            groups.append([])
        groups[place].append(row)
        last[row.key] = place
    return groups


def is_down(error: BaseException) -> bool:
    state = sqlstate(error)
    # Without a state it never reached a server: the connection could not be had, or broke.
    return state.startswith(DOWN) if state else isinstance(error, (OperationalError, InterfaceError))


def handle(rows: Sequence[Row], consumer: str) -> None:
    """Give rows of one fact to the consumer's handler, in one transaction with their inbox rows."""
    name = rows[0].name
    with transaction.atomic(using=consumer):
        with connections[consumer].cursor() as sql:
            sql.execute(INBOX.format(table=f"{consumer}_inbox"), [name, [row.message_id for row in rows]])
            new = {found for (found,) in sql.fetchall()}
        events = [row.event() for row in rows if row.message_id in new]
        if events:
            HANDLERS[name, consumer](events)


def deliver(rows: Sequence[Row], consumer: str) -> Outcome:
    """Deliver a batch; a group that fails is retried event by event, and a failed key is left alone after that."""
    outcome = Outcome()
    for group in waves(rows):
        ready = [row for row in group if row.key not in outcome.spoiled]
        if not ready:
            continue
        try:
            attempt(ready, consumer, outcome)
        except ConsumerDown:
            outcome.down = True
            break
    return outcome


def attempt(rows: Sequence[Row], consumer: str, outcome: Outcome) -> None:
    try:
        retrying(lambda: handle(rows, consumer))
        outcome.delivered.extend(rows)
    except Exception as error:
        if isinstance(error, Error) and is_down(error):
            log.warning("relay: %s is down: %s", consumer, error)
            raise ConsumerDown from error
        if len(rows) > 1:
            for row in rows:
                attempt([row], consumer, outcome)
            return
        log.exception("relay: %s refused %s %s", consumer, rows[0].name, rows[0].key)
        rows[0].error = f"{type(error).__name__}: {error}"[:2000]
        outcome.failed.append(rows[0])


def settle(outcome: Outcome, table: str, consumer: str, sql: Any) -> None:
    """Write down in the source what became of the batch."""
    if outcome.delivered:
        sql.execute(DELETE.format(table=table), [[row.id for row in outcome.delivered]])
        healed = [row.key for row in outcome.delivered if row.attempts]
        if healed:
            sql.execute(RELEASE.format(table=table), [consumer, healed])
    for row in outcome.failed:
        attempts = row.attempts + 1
        sql.execute(FAIL.format(table=table), [attempts, row.error, row.id])
        if attempts >= ATTEMPTS:
            sql.execute(POSTPONE.format(table=table), [NEVER, consumer, row.key])
        else:
            pause = min(LONGEST_PAUSE, 2.0**attempts) * random.uniform(0.5, 1)
            sql.execute(BACK_OFF.format(table=table), [pause, consumer, row.key])


def relay_pair(source: str, consumer: str, limit: int = BATCH) -> int:
    """Carry one batch from source to consumer; returns how many rows were delivered or failed."""
    table = f"{source}_outbox"
    scan = max(4 * limit, 200)
    with transaction.atomic(using=source), connections[source].cursor() as sql:
        sql.execute(
            CLAIM.format(table=table), {"consumer": consumer, "scan": scan, "limit": limit, "followers": FOLLOWERS}
        )
        found = sql.fetchall()
        if not found:
            sql.execute(DUE.format(table=table), [consumer])
            outcome, full = Outcome(), bool(sql.fetchone()[0])
        else:
            outcome, full = deliver([Row(*row[:6]) for row in found], consumer), found[0][6] >= scan
            # A lost commit here only redelivers, and the inbox absorbs that: no need to wait for the disk.
            sql.execute("SET LOCAL synchronous_commit = off")
            settle(outcome, table, consumer, sql)
    if full and len(found) < limit:
        park(source)
    if outcome.down:
        raise ConsumerDown
    return len(outcome.delivered) + len(outcome.failed)


def park(source: str) -> None:
    """Move the followers of postponed heads out of the window of due rows."""
    while True:
        with connections[source].cursor() as sql:
            sql.execute(PARK.format(table=f"{source}_outbox"))
            if sql.rowcount < 5000:
                return


def drain(limit: int = BATCH, rounds: int = 10_000) -> int:
    """Relay everything that is due, between all domains, until nothing is left; returns how many rows moved."""
    total = 0
    for _ in range(rounds):
        moved = sum(relay_pair(source, consumer, limit) for source, consumer in pairs())
        total += moved
        if not moved:
            return total
    raise RuntimeError("the domains keep sending each other messages")


def redeliver(source: str, ids: Sequence[int]) -> int:
    """Make dead or delayed messages, and those waiting behind them, due now with a fresh set of attempts."""
    outbox = apps.get_model(source, "Outbox")._base_manager.using(source)
    rows = list(outbox.filter(id__in=ids))
    for row in rows:
        outbox.filter(id=row.id).update(attempts=0)
        with connections[source].cursor() as sql:
            sql.execute(RELEASE.format(table=f"{source}_outbox"), [row.consumer, [row.key]])
    return len(rows)


def drop(source: str, ids: Sequence[int], *, actor: str, reason: str) -> int:
    """Give a message up, keeping the row with who did it and why; what waits behind it becomes due."""
    if not reason.strip():
        raise ValueError("a message is dropped for a reason: say which")
    outbox = apps.get_model(source, "Outbox")._base_manager.using(source)
    rows = [row for row in outbox.filter(id__in=ids) if not row.consumer.endswith(DROPPED)]
    for row in rows:
        with transaction.atomic(using=source), connections[source].cursor() as sql:
            outbox.filter(id=row.id).update(consumer=row.consumer + DROPPED, last_error=f"dropped by {actor}: {reason}")
            sql.execute(RELEASE.format(table=f"{source}_outbox"), [row.consumer, [row.key]])
    return len(rows)
