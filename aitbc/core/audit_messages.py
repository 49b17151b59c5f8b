"""I30: nothing that was emitted is lost, stuck or handled twice."""

from __future__ import annotations

from collections.abc import Iterable

from django.apps import apps

from aitbc.core.audit import invariant
from aitbc.core.db import cursor
from aitbc.core.messaging.models import DROPPED, NEVER
from aitbc.domains import LABELS

STUCK = """
SELECT id, consumer, name, key, attempts, last_error FROM {table}
WHERE consumer NOT LIKE %s AND due_at < %s
  AND created_at < clock_timestamp() - interval '10 minutes' ORDER BY id LIMIT 100"""


@invariant("I30", db="default")
def every_message_arrives() -> Iterable[str]:
    """Every outbox row is delivered or dead-lettered within its limit."""
    for label in LABELS:
        model = apps.get_model(label, "Outbox")
        with cursor(model) as sql:
            sql.execute(STUCK.format(table=model._meta.db_table), [f"%{DROPPED}", NEVER])
            for id_, consumer, name, key, attempts, error in sql.fetchall():
                waits = f"{attempts} attempts, {error or 'no error'}"
                yield f"{label} outbox {id_}: {name} {key} waits for {consumer}: {waits}"
