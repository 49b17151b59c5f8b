"""Advisory locks: at most one process of the whole installation does a thing at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models import Model

from aitbc.core.db import atomic, cursor


@contextmanager
def advisory_lock(model: type[Model], name: str) -> Iterator[bool]:
    """Try to take a transaction-scoped lock in the model's database; yields whether it is held. Never waits."""
    key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)
    with atomic(model):
        with cursor(model) as sql:
            sql.execute("SELECT pg_try_advisory_xact_lock(%s)", [key])
            held = bool(sql.fetchone()[0])
        yield held
