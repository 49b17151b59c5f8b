"""R1, R2 and R3: every column of every table holds what Python and JSON can hold, and what its field is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.apps import apps
from django.contrib.postgres.fields import DateTimeRangeField
from django.db.models import DateField, DateTimeField, Field, FloatField, Model

from aitbc.core.db import cursor
from aitbc.core.fields import JSONField
from aitbc.core.invariants import invariant
from aitbc.core.jsonb import DEEPEST

FIRST, LAST = "'0001-01-01 00:00:00+00'", "'9999-12-31 23:59:59.999999+00'"
OWN = ("aitbc.", "apps.")
WRONG = "SELECT {key}, array_remove(ARRAY[{named}], NULL) FROM {table} WHERE {wrong}"
TOO_DEEP = f'strict $.**{{{DEEPEST}}} ? (@.type() == "object" || @.type() == "array")'  # goes no deeper itself
# The SQL that is true of a column whose value is odd.
Oddity = Callable[[Any], str]


@invariant("R1", db="default")
def every_time_and_number_can_be_read() -> Iterable[str]:
    """Every time is within the years 1 to 9999, and every number is finite."""
    return _rows_with(_is_beyond)


@invariant("R2", db="default")
def every_json_is_an_object() -> Iterable[str]:
    """Every column of JSON holds an object, unless its field is free."""
    return _rows_with(_is_no_object)


@invariant("R3", db="default")
def every_json_has_few_levels() -> Iterable[str]:
    """No column of JSON is nested deeper than is read (128 levels)."""
    return _rows_with(_is_too_deep)


def _is_beyond(field: Any) -> str:
    column = f'"{field.column}"'
    if isinstance(field, DateTimeRangeField):
        bounds = f"lower({column}) NOT BETWEEN {FIRST} AND {LAST} OR upper({column}) NOT BETWEEN {FIRST} AND {LAST}"
        return f"{bounds} OR lower_inf({column}) OR upper_inf({column})"
    if isinstance(field, (DateField, DateTimeField)):
        return f"{column} NOT BETWEEN {FIRST} AND {LAST}"
    return f"{column} IN ('NaN', 'Infinity', '-Infinity')" if isinstance(field, FloatField) else ""


def _is_no_object(field: Any) -> str:
    return f"jsonb_typeof(\"{field.column}\") <> 'object'" if isinstance(field, JSONField) and not field.free else ""


def _is_too_deep(field: Any) -> str:
    return f"jsonb_path_exists(\"{field.column}\", '{TOO_DEEP}')" if isinstance(field, JSONField) else ""


def _rows_with(odd: Oddity) -> Iterator[str]:
    """Name the rows of all our tables in which a column is odd, and these columns."""
    for model in apps.get_models():
        if model.__module__.startswith(OWN) and model._meta.managed:
            oddities = {str(field.column): sql for field in model._meta.local_concrete_fields if (sql := odd(field))}
            if oddities:
                yield from _rows_of(model, oddities)


def _rows_of(model: type[Model], oddities: dict[str, str]) -> Iterator[str]:
    key: Field[Any, Any] = model._meta.pk
    named = ", ".join(f"CASE WHEN {sql} THEN '{column}' END" for column, sql in oddities.items())
    wrong = " OR ".join(f"({sql})" for sql in oddities.values())
    with cursor(model) as sql:
        sql.execute(WRONG.format(key=f'"{key.column}"', named=named, table=f'"{model._meta.db_table}"', wrong=wrong))
        for pk, columns in sql.fetchall():
            yield f"{model._meta.label} {pk}: {', '.join(columns)} cannot be right"
