"""Facts between domains: emitted in the transaction of the fact, delivered by the relay in order per key.

emit() writes one outbox row per subscriber into the publishing domain's own database; relay.py carries it over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

from django.apps import apps
from django.db import connections

from aitbc.core import jsonb, pubsub
from aitbc.core.db import on_commit
from aitbc.core.ids import uuid7


@dataclass(frozen=True, kw_only=True)
class Event:
    """A fact: NAME is `domain.subject.fact.v1`, KEY the field whose value orders deliveries; fields are JSON-native."""

    NAME: ClassVar[str]
    KEY: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        EVENTS[cls.NAME] = cls

    @property
    def key(self) -> str:
        return str(getattr(self, self.KEY))

    def plain(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def read(cls, payload: dict[str, Any]) -> Event:
        """Rebuild the fact; fields added by a newer sender are ignored."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in payload.items() if name in known})


EVENTS: dict[str, type[Event]] = {}
Handler = Callable[[Sequence[Any]], None]
HANDLERS: dict[tuple[str, str], Handler] = {}
H = TypeVar("H", bound=Handler)


def subscribe(event: type[Event], *, by: str) -> Callable[[H], H]:
    """Register the one handler by which a domain takes notice of a fact. It receives batches, one event per key."""

    def register(handler: H) -> H:
        if HANDLERS.setdefault((event.NAME, by), handler) is not handler:
            raise RuntimeError(f"{by} subscribes to {event.NAME} twice")
        return handler

    return register


def consumers(name: str) -> list[str]:
    return [consumer for known, consumer in HANDLERS if known == name]


def pairs() -> list[tuple[str, str]]:
    """All (source, consumer) pairs of domains between which facts flow."""
    return sorted({(name.split(".")[0], consumer) for name, consumer in HANDLERS})


# One JSON text for any number of rows: the driver writes arrays element by element, in Python.
INSERT = """INSERT INTO {table} (message_id, consumer, name, key, payload)
SELECT m, c, n, k, p FROM json_to_recordset(%s::json) AS t(m uuid, c text, n text, k text, p jsonb)"""


def emit(*events: Event, by: str) -> None:
    """Publish facts of domain `by`, in the transaction that made them true; raises outside of one."""
    connection = connections[by]
    if not connection.in_atomic_block:
        raise RuntimeError(f"emit() needs an open transaction on {by!r}: a fact and its message commit together")
    rows = [
        {"m": uuid7(), "c": consumer, "n": event.NAME, "k": event.key, "p": event.plain()}
        for event in events
        for consumer in consumers(event.NAME)
    ]
    if not rows:
        return
    with connection.cursor() as sql:
        sql.execute(INSERT.format(table=f"{by}_outbox"), [jsonb.dumps(rows)])
    on_commit(apps.get_model(by, "Outbox"), lambda: pubsub.send(f"{pubsub.RELAY}:{by}"))
