"""Housekeeping of the message tables, and what monitoring wants to know of them."""

from __future__ import annotations

from dataclasses import dataclass

from django.apps import apps

from aitbc.core.db import cursor
from aitbc.domains import LABELS

PRUNE = """DELETE FROM {table} WHERE message_id IN (
  SELECT message_id FROM {table} WHERE handled_at < clock_timestamp() - %s * interval '1 day' LIMIT 10000)"""
LAG = """SELECT count(*) FILTER (WHERE due_at < '9000-01-01'),
  count(*) FILTER (WHERE due_at >= '9000-01-01' AND attempts > 0),
  coalesce(extract(epoch FROM
    clock_timestamp() - min(created_at) FILTER (WHERE due_at <= statement_timestamp())), 0)
FROM (SELECT due_at, attempts, created_at FROM {table}
  WHERE consumer NOT LIKE '%%!dropped' ORDER BY id LIMIT 10000) o"""


@dataclass(frozen=True)
class Lag:
    """How far an outbox is behind: waiting rows and dead letters (of the oldest 10,000), age of the oldest due row."""

    waiting: int
    dead: int
    oldest_seconds: float


def lag(label: str) -> Lag:
    model = apps.get_model(label, "Outbox")
    with cursor(model) as sql:
        sql.execute(LAG.format(table=model._meta.db_table))
        waiting, dead, oldest = sql.fetchone()
    return Lag(waiting, dead, float(oldest))


def prune(*, days: int) -> int:
    """Delete inbox rows older than so many days, 10,000 at a time; returns how many went."""
    gone = 0
    for label in LABELS:
        model = apps.get_model(label, "Inbox")
        while True:
            with cursor(model) as sql:
                sql.execute(PRUNE.format(table=model._meta.db_table), [days])
                gone += sql.rowcount
                if sql.rowcount < 10_000:
                    break
    return gone
