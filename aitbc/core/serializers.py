"""Base serializers and fields: strict about what callers send, exact about money."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models.manager import BaseManager
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.serializers import LIST_SERIALIZER_KWARGS, LIST_SERIALIZER_KWARGS_REMOVE

from aitbc.core import fields as model_fields
from aitbc.core.errors import DomainError
from aitbc.core.money import LARGEST, NUMERAL, format_amount, parse_amount
from aitbc.core.parsers import BodyInvalid, Number, plain, refuse_unstorable
from aitbc.core.rows import write_each

S = TypeVar("S", bound=serializers.BaseSerializer[Any])
FIRST, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
UNKNOWN = ErrorDetail("This field is not known here.", code="unknown_field")
NUMERIC = (serializers.IntegerField, serializers.FloatField, serializers.DecimalField)


@extend_schema_field({"type": "string", "pattern": r"^\d+(\.\d{1,6})?$", "example": "0.420000"})
class AmountField(serializers.Field[int, Any, str, int]):
    """Money: integer micro-AIT inside, a decimal string in JSON; input may also be a JSON number."""

    default_error_messages = {"invalid": "Not an amount: {reason}"}

    def __init__(self, *, min_value: int = 0, max_value: int = LARGEST, **options: Any) -> None:
        self.min_value, self.max_value = min_value, max_value
        super().__init__(**options)

    def to_representation(self, value: int) -> str:
        return format_amount(value)

    def to_internal_value(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
            self.fail("invalid", reason='write a decimal string such as "0.42".')
        try:
            amount = parse_amount(exact(value))
        except (DomainError, ValueError, ArithmeticError) as error:
            self.fail("invalid", reason=str(error))
        if amount < self.min_value:
            self.fail("invalid", reason=f"it must be at least {format_amount(self.min_value)}.")
        if amount > self.max_value:
            self.fail("invalid", reason=f"it must be at most {format_amount(self.max_value)}.")
        return amount


class TimestampField(serializers.DateTimeField):
    """A moment of RFC 3339 in the years 1970 to 2999; one without an offset is UTC.

    Sums and differences of such moments and the spans we know stay within what Python and PostgreSQL can hold.
    """

    default_error_messages = {"range": "Name a time of the years 1970 to 2999."}

    def to_internal_value(self, value: Any) -> datetime:
        moment: datetime = super().to_internal_value(value)
        if not FIRST <= moment < END:
            self.fail("range")
        return moment

    def enforce_timezone(self, value: datetime) -> datetime:
        """DRF's would convert it, which fails for moments at the end of Python's time."""
        return value if value.tzinfo else value.replace(tzinfo=UTC)


@extend_schema_field({"oneOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}]})
class QuantityField(serializers.DecimalField):
    """An exact number that is no money (hours, gigabytes), written as a JSON number or as a string."""

    def to_internal_value(self, data: Any) -> Decimal:
        """Read it; a string has digits and one point (core/money.py)."""
        if not is_numeral(data):
            self.fail("invalid")
        return super().to_internal_value(data)


def exact(value: str | int | float | Decimal) -> str | int | Decimal:
    """Return a number without the rounding of a float: as it was written in the request."""
    if isinstance(value, Number):
        return value.exact
    return Decimal(str(value)) if isinstance(value, float) else value


def is_numeral(value: Any) -> bool:
    """Whether this may be read as a number: no flag, and a text only when it has digits and one point."""
    if isinstance(value, bool):
        return False
    return not isinstance(value, str) or NUMERAL.fullmatch(value) is not None


class LenientSerializer(serializers.Serializer[Any]):
    """Input of legacy clients and miners: unknown fields are ignored, numbers in texts are digits and one point."""

    def to_internal_value(self, data: Any) -> Any:
        """Read it. Raises ValidationError that names every field that is wrong."""
        wrong = self._wrong(data) if isinstance(data, Mapping) else {}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if wrong and isinstance(error.detail, dict):
                raise serializers.ValidationError({**error.detail, **wrong}) from None
            raise
        if wrong:
            raise serializers.ValidationError(wrong)
        return value

    def _wrong(self, data: Mapping[str, Any]) -> dict[str, list[Any]]:
        """What DRF's fields would let pass: texts that cannot be stored, and odd ways to write numbers."""
        wrong: dict[str, list[Any]] = {}
        for name, field in self.fields.items():
            value = data.get(name)
            if not _has_numerals(field, value):
                wrong[name] = ["A valid number is required: digits and one point."]
            elif isinstance(value, str):
                try:
                    refuse_unstorable(value)
                except BodyInvalid as error:
                    wrong[name] = [error.detail]
        return wrong


def _has_numerals(field: serializers.Field[Any, Any, Any, Any], value: Any) -> bool:
    """Whether all that this field would read as a number is one."""
    if isinstance(field, serializers.ListField) and isinstance(value, list):
        return all(_has_numerals(field.child, one) for one in value)
    return not isinstance(field, NUMERIC) or value == "" or is_numeral(value)


class StrictSerializer(LenientSerializer):
    """Input everywhere else: a field the caller may not set, or that does not exist, is an error."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            settable = {name for name, field in self.fields.items() if not field.read_only}
            if unknown := sorted(set(data) - settable):
                raise serializers.ValidationError({name: [UNKNOWN] for name in unknown})
        return super().to_internal_value(data)


class ResourceListSerializer(serializers.ListSerializer[Any]):
    """Many of them; one that cannot be written is left out (rows.py)."""

    def to_representation(self, data: Any) -> list[Any]:
        """As DRF's, row by row."""
        rows = data.all() if isinstance(data, BaseManager) else data
        return write_each(self.child.to_representation, rows)  # type: ignore[union-attr]


class ResourceSerializer(serializers.ModelSerializer[Any]):
    """Output: one per resource; amounts become decimal strings by themselves."""

    @classmethod
    def many_init(cls, *args: Any, **options: Any) -> Any:
        """As DRF's, with a list that leaves out what cannot be written."""
        of_list = {name: options.pop(name) for name in LIST_SERIALIZER_KWARGS_REMOVE if name in options}
        of_list |= {name: value for name, value in options.items() if name in LIST_SERIALIZER_KWARGS}
        of_list["child"] = cls(*args, **options)
        return ResourceListSerializer(*args, **of_list)

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        model_fields.AmountField: AmountField,
    }


class FreeField(serializers.JSONField):
    """JSON of free form; its numbers are ordinary integers and doubles from here on."""

    def to_internal_value(self, data: Any) -> Any:
        return plain(super().to_internal_value(data))


@extend_schema_field(OpenApiTypes.OBJECT)
class ObjectField(FreeField):
    """A JSON object of free form; anything else than an object is refused."""

    default_error_messages = {"not_object": "An object is required."}

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            self.fail("not_object")
        return value


class ProblemError(serializers.Serializer[Any]):
    """One field that is wrong, and why."""

    field = serializers.CharField()
    message = serializers.CharField()
    code = serializers.CharField(required=False)


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457 problem body; more members may follow, by code."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField()
    error = serializers.CharField(help_text="The code again, for legacy clients.")
    errors = ProblemError(many=True, required=False)  # type: ignore[assignment]


def shared(serializer_class: type[S]) -> S:
    """Return the one instance of this class in the process, for the hot path: building one costs more than using it.

    It has no context, so no field of it may need the request.
    """
    if serializer_class not in _shared:
        _shared[serializer_class] = serializer_class()
    return _shared[serializer_class]  # type: ignore[no-any-return]


_shared: dict[type, Any] = {}
