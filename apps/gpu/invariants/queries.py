"""Run the SQL of an invariant on the database of gpu."""

from __future__ import annotations

from aitbc.core.db import cursor
from apps.gpu.models import Lease


def rows(query: str) -> list[tuple[object, ...]]:
    with cursor(Lease) as sql:
        sql.execute(query)
        return list(sql.fetchall())
