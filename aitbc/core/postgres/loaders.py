"""How moments that Python cannot hold come out of the database: as the last one that it can, or the first.

PostgreSQL knows infinity and the years 4713 BC to 294276, Python the years 1 to 9999. A row with another moment can
be read, and is named by the audit (invariant R1).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.backends.postgresql.base import CursorMixin
from psycopg import Cursor as DriverCursor
from psycopg import DataError, adapters
from psycopg.abc import AdaptContext, Loader
from psycopg.adapt import Loader as BaseLoader
from psycopg.postgres import types
from psycopg.pq import Format

EXTREMES: dict[str, tuple[Any, Any]] = {
    "timestamptz": (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
    "date": (date.min, date.max),
    "interval": (timedelta.min, timedelta.max),
}
"""The least and the greatest value that Python has for these types; no column of ours is a `timestamp` without zone."""


def drivers_own(name: str) -> type[Loader]:
    """The driver's loader of this type, in C."""
    loader = adapters.get_loader(types[name].oid, Format.TEXT)
    if loader is None:
        raise LookupError(f"psycopg has no loader of {name}")
    return loader


def lenient(name: str) -> type[Loader]:
    """A loader of this type that takes every value, three times as slow as the driver's own."""
    own, (least, greatest) = drivers_own(name), EXTREMES[name]

    class Lenient(BaseLoader):
        def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
            super().__init__(oid, context)
            self.own = own(oid, context)

        def load(self, data: Any) -> Any:
            try:
                return self.own.load(data)
            except DataError:
                text = bytes(data)
                return least if text.startswith(b"-") or text.endswith(b"BC") else greatest

    return Lenient


LENIENT = {name: lenient(name) for name in EXTREMES}


def use_lenient(cursor: Any) -> None:
    """Let this cursor read every moment, also of the result that it has."""
    for name, loader in LENIENT.items():
        cursor.adapters.register_loader(name, loader)


class Cursor(CursorMixin, DriverCursor[Any]):  # type: ignore[misc]
    """Django's ServerBindingCursor. Rows that the driver's loaders refuse are read once more, by lenient ones."""

    def fetchone(self) -> Any:
        return self._read(super().fetchone)

    def __next__(self) -> Any:
        return self._read(super().__next__)

    def fetchmany(self, size: int = 0) -> list[Any]:
        return self._read(super().fetchmany, size)  # type: ignore[no-any-return]

    def fetchall(self) -> list[Any]:
        return self._read(super().fetchall)  # type: ignore[no-any-return]

    def _read(self, fetch: Callable[..., Any], *args: Any) -> Any:
        try:
            return fetch(*args)
        except DataError:  # raised before the cursor has moved
            use_lenient(self)
            return fetch(*args)
