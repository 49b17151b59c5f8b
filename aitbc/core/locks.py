"""Advisory locks: at most one process of the whole installation does a thing at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.models import Model
from psycopg import Connection, Error

from aitbc.core.db import atomic, cursor
from aitbc.core.postgres.patience import patient

# A lock connection that says nothing for so long is ended by the server, and its locks with it: the process is stopped,
# or its machine is gone.
IDLE_SECONDS = 30
ANSWER_SECONDS = 10.0
TRY = """SELECT name FROM unnest(%s::text[], %s::bigint[]) AS lock(name, key) WHERE pg_try_advisory_lock(key)"""


def lock_key(name: str) -> int:
    """The 64-bit number that PostgreSQL knows a lock by."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)


@contextmanager
def advisory_lock(model: type[Model], name: str) -> Iterator[bool]:
    """Try to take a transaction-scoped lock in the model's database; yields whether it is held. Never waits."""
    with atomic(model):
        with cursor(model) as sql:
            sql.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock_key(name)])
            held = bool(sql.fetchone()[0])
        yield held


class SessionLocks:
    """Advisory locks in one database, kept from one use to the next until they are released or the process ends.

    They live on a connection of their own, beside the pool: a sweep opens and commits its own transactions meanwhile.
    For one thread alone. The connection must reach PostgreSQL directly or through a pooler in session mode.
    """

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.held: set[str] = set()
        self._connection: Connection[Any] | None = None

    def hold(self, names: Collection[str]) -> set[str]:
        """Take those of these locks that are free, never waiting; returns which of them are held now.

        Asks the server even when all are held: that it answers proves that they still are. Raises psycopg.Error when
        it does not, and then holds nothing.
        """
        try:
            connection = self._connection = self._connection or self._connect()
            missing = sorted(set(names) - self.held)
            rows = connection.execute(TRY, [missing, [lock_key(name) for name in missing]]).fetchall()
        except Error:
            self.close()
            raise
        self.held |= {name for (name,) in rows}
        return self.held & set(names)

    def release(self, name: str) -> None:
        """Let another process have this lock. Raises psycopg.Error, like hold()."""
        if name not in self.held or self._connection is None:
            return
        try:
            self._connection.execute("SELECT pg_advisory_unlock(%s::bigint)", [lock_key(name)])
        except Error:
            self.close()
            raise
        self.held.discard(name)

    def close(self) -> None:
        """Release all of them."""
        self.held.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> Connection[Any]:
        parameters = connections[self.alias].get_connection_params()
        connection = patient(ANSWER_SECONDS).connect(**parameters, autocommit=True)
        connection.execute(f"SET idle_session_timeout = '{IDLE_SECONDS}s'")
        return connection
