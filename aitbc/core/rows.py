"""Lists at speed: rows as the database gives them, written under a serializer's names without models or fields.

Measured by `python -m bench doors` (list of 50 jobs): a third of the cost of a model and a serializer for each row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import MomentField

# What these fields write for a column's value is what the renderer writes for it anyway.
PLAIN = (
    serializers.CharField, serializers.UUIDField, serializers.DateTimeField, serializers.IntegerField,
    serializers.FloatField, serializers.BooleanField, serializers.JSONField, serializers.ChoiceField,
    MomentField,
)  # fmt: skip


class RowWriter:
    """Writes `queryset.values(*writer.columns)` as the serializer would; its fields must be plain columns."""

    def __init__(self, serializer_class: type[serializers.ModelSerializer[Any]]) -> None:
        fields = serializer_class()._readable_fields
        parts = [(str(field.field_name), str(field.source), _writer(field)) for field in fields]
        self.names = [name for name, _, _ in parts]
        self.values = itemgetter(*(source for _, source, _ in parts))
        self.written = [(name, write) for name, _, write in parts if write is not None]
        self.columns = sorted({source for _, source, _ in parts})

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        told = dict(zip(self.names, self.values(row), strict=True))
        for name, write in self.written:
            if told[name] is not None:
                told[name] = write(told[name])
        return told


def _writer(field: serializers.Field[Any, Any, Any, Any]) -> Callable[[Any], Any] | None:
    own = type(field).to_representation
    return None if any(own is plain.to_representation for plain in PLAIN) else field.to_representation
