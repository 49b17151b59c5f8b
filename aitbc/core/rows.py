"""Long lists of plain columns: rows as the database gives them, under a serializer's names, without models or fields.

For lists that are asked for so often that it pays; everywhere else a serializer writes each model. Figures, both ways:
docs/performance.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from rest_framework import serializers

log = logging.getLogger(__name__)

# What these fields write for a column's value is what the renderer writes for it anyway.
PLAIN = (
    serializers.CharField, serializers.UUIDField, serializers.DateTimeField, serializers.IntegerField,
    serializers.FloatField, serializers.BooleanField, serializers.JSONField, serializers.ChoiceField,
)  # fmt: skip


def write_each(write: Callable[[Any], Any], rows: Iterable[Any]) -> list[Any]:
    """Return what `write` makes of each row. One that it cannot write is logged and left out: it takes no list down."""
    return list(readable(write, rows))


def readable(read: Callable[[Any], Any], rows: Iterable[Any]) -> Iterator[Any]:
    """Yield what `read` makes of each row, as write_each, one after the other."""
    for row in rows:
        try:
            yield read(row)
        except Exception:  # whatever is wrong with a row is its own affair; the audit names it
            log.exception("a row cannot be shown and is left out of a list: %s", _name(row))


def _name(row: Any) -> str:
    return str(row.get("id", row)) if isinstance(row, Mapping) else f"{type(row).__name__} {getattr(row, 'pk', row)}"


class RowWriter:
    """Writes `queryset.values(*writer.columns)` as the serializer would.

    Raises TypeError where a field of the serializer is not a column of its model.
    """

    def __init__(self, serializer_class: type[serializers.ModelSerializer[Any]]) -> None:
        fields = serializer_class()._readable_fields
        parts = [(str(field.field_name), str(field.source), _writer(field)) for field in fields]
        self.names = [name for name, _, _ in parts]
        self.values = itemgetter(*(source for _, source, _ in parts))
        self.writers = [(name, write) for name, _, write in parts if write is not None]
        self.columns = sorted({source for _, source, _ in parts})
        _refuse_what_is_no_column(serializer_class, self.columns)

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return one row under the serializer's names."""
        item = dict(zip(self.names, self.values(row), strict=True))
        for name, write in self.writers:
            if item[name] is not None:
                item[name] = write(item[name])
        return item


def _writer(field: serializers.Field[Any, Any, Any, Any]) -> Callable[[Any], Any] | None:
    method = type(field).to_representation
    return None if any(method is plain.to_representation for plain in PLAIN) else field.to_representation


def _refuse_what_is_no_column(serializer_class: type[serializers.ModelSerializer[Any]], sources: list[str]) -> None:
    for source in sources:
        try:
            serializer_class.Meta.model._meta.get_field(source)  # type: ignore[attr-defined]
        except FieldDoesNotExist:
            raise TypeError(f"{serializer_class.__name__}: {source} is not a column; use the serializer") from None
