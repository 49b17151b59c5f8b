"""I30: nothing that was emitted is lost, stuck or handled twice."""

from __future__ import annotations

from collections.abc import Iterable

from django.apps import apps

from aitbc.core.db import cursor
from aitbc.core.invariants import invariant
from aitbc.core.messaging.models import ATTEMPTS, DROPPED, NEVER
from aitbc.domains import LABELS

# Late; or put off for ever, though neither it nor what stands before it under its key was tried to the end.
STUCK = """
SELECT id, consumer, name, key, attempts, last_error FROM {table} o
WHERE consumer NOT LIKE %(dropped)s AND created_at < clock_timestamp() - interval '10 minutes'
  AND (due_at < %(never)s OR NOT EXISTS (
    SELECT FROM {table} h WHERE h.consumer = o.consumer AND h.key = o.key AND h.id <= o.id
      AND h.attempts >= %(attempts)s AND h.due_at >= %(never)s))
ORDER BY id LIMIT 100"""


@invariant("I30", db="default")
def every_message_arrives() -> Iterable[str]:
    """Every outbox row is delivered or dead-lettered within its limit."""
    for label in LABELS:
        model = apps.get_model(label, "Outbox")
        with cursor(model) as sql:
            values = {"dropped": f"%{DROPPED}", "never": NEVER, "attempts": ATTEMPTS}
            sql.execute(STUCK.format(table=model._meta.db_table), values)
            for id_, consumer, name, key, attempts, error in sql.fetchall():
                waits = f"{attempts} attempts, {error or 'no error'}"
                yield f"{label} outbox {id_}: {name} {key} waits for {consumer}: {waits}"
