"""Inserting a row by a statement that is made once per model, where the ORM compiles one for every row.

For begin() (core/states.py), which every submit goes through. Figures, both ways: docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import connections
from django.db.models import Field, Model
from django.db.models.expressions import DatabaseDefault

from aitbc.core.db import alias_of


def insert(objects: Sequence[Model]) -> None:
    """Insert new rows of one model that bring their keys; many of them by bulk_create, one at the least cost."""
    model = type(objects[0])
    if len(objects) > 1 or not _insert_one(model, objects[0]):
        model._base_manager.bulk_create(objects)


def _insert_one(model: type[Model], row: Model) -> bool:
    """Return False when a column is left to the database's default, which the prepared statement cannot say."""
    alias = alias_of(model)
    connection = connections[alias]
    fields = _columns(model)
    initial = [field.pre_save(row, add=True) for field in fields]
    if any(isinstance(value, DatabaseDefault) for value in initial):
        return False
    values = [field.get_db_prep_save(value, connection) for field, value in zip(fields, initial, strict=True)]
    with connection.cursor() as sql:
        sql.execute(_statement(model), values)
    row._state.adding, row._state.db = False, alias
    return True


@cache
def _columns(model: type[Model]) -> list[Field[Any, Any]]:
    """The columns that an insert names; generated ones are the database's."""
    return [field for field in model._meta.local_concrete_fields if not field.generated]


@cache
def _statement(model: type[Model]) -> str:
    columns = [f'"{field.column}"' for field in _columns(model)]
    return f'INSERT INTO "{model._meta.db_table}" ({", ".join(columns)}) VALUES ({", ".join(["%s"] * len(columns))})'
