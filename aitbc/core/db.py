"""Transactions of one domain's database: the model names the database, never a default."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from django.db import DatabaseError, Error, InterfaceError, connections, router, transaction
from django.db.models import Model
from psycopg_pool import PoolTimeout

from aitbc.core.errors import Unavailable

T = TypeVar("T")
RETRIED = ("40001", "40P01")
# What a question to another domain raises while its database is away.
DOMAIN_UNAVAILABLE = (DatabaseError, InterfaceError, PoolTimeout, Unavailable)


def alias_of(model: type[Model] | Model) -> str:
    """The alias of the database that owns this model's rows."""
    return router.db_for_write(model if isinstance(model, type) else type(model))


def atomic(model: type[Model] | Model) -> AbstractContextManager[None]:
    """A transaction (or savepoint) on the database that owns this model."""
    return transaction.atomic(using=alias_of(model))  # type: ignore[no-any-return]


def joined(model: type[Model] | Model) -> AbstractContextManager[None]:
    """The transaction that is open on the model's database, or one of its own.

    Inside one it costs nothing, where atomic() would send a savepoint and its release; what fails in here fails all.
    """
    return nullcontext() if in_transaction(model) else atomic(model)


def on_commit(model: type[Model] | Model, call: Callable[[], Any]) -> None:
    """Call after the model's database has committed; a wake-up, never a duty: it is lost in a crash."""
    transaction.on_commit(call, using=alias_of(model), robust=True)


def in_transaction(model: type[Model] | Model) -> bool:
    return connections[alias_of(model)].in_atomic_block


def cursor(model: type[Model] | Model) -> Any:
    """A raw cursor on the database that owns this model."""
    return connections[alias_of(model)].cursor()


def sqlstate(error: BaseException | None) -> str:
    """The SQLSTATE of a database error, or '' when it never reached the server."""
    while error is not None:
        state = getattr(error, "sqlstate", None)
        if state:
            return str(state)
        error = error.__cause__
    return ""


def retrying(call: Callable[[], T], *, tries: int = 5) -> T:
    """Run a whole transaction again when it lost a deadlock or serialization race (40P01, 40001), with full jitter."""
    for attempt in range(1, tries + 1):
        try:
            return call()
        except Error as error:
            if sqlstate(error) not in RETRIED or attempt == tries:
                raise
            time.sleep(random.uniform(0, 0.01 * 2**attempt))
    raise AssertionError("unreachable")
