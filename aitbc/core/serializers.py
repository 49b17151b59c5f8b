"""Base serializers and fields: strict about what callers send, exact about money."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from aitbc.core import fields as model_fields
from aitbc.core.errors import DomainError
from aitbc.core.money import LARGEST, format_amount, parse_amount
from aitbc.core.parsers import BodyInvalid, Number, refuse_unstorable

S = TypeVar("S", bound=serializers.BaseSerializer[Any])
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
            amount = parse_amount(value.text if isinstance(value, Number) else str(value))
        except (DomainError, ValueError, ArithmeticError) as error:
            self.fail("invalid", reason=str(error))
        if amount < self.min_value:
            self.fail("invalid", reason=f"it must be at least {format_amount(self.min_value)}.")
        if amount > self.max_value:
            self.fail("invalid", reason=f"it must be at most {format_amount(self.max_value)}.")
        return amount


@extend_schema_field({"oneOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}]})
class QuantityField(serializers.DecimalField):
    """An exact number that is no money (hours, gigabytes), written as a JSON number or as a string."""


class LenientSerializer(serializers.Serializer[Any]):
    """Input of legacy clients and miners: unknown fields are ignored, numbers are ASCII, texts are storable."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            self._check_text(data)
        return super().to_internal_value(data)

    def _check_text(self, data: Mapping[str, Any]) -> None:
        for name, field in self.fields.items():
            value = data.get(name)
            if not isinstance(value, str):
                continue
            if isinstance(field, NUMERIC) and not value.isascii():
                raise serializers.ValidationError({name: ["A valid number is required."]})
            try:
                refuse_unstorable(value)
            except BodyInvalid as error:
                raise serializers.ValidationError({name: [error.detail]}) from None


class StrictSerializer(LenientSerializer):
    """Input everywhere else: a field the caller may not set, or that does not exist, is an error."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            settable = {name for name, field in self.fields.items() if not field.read_only}
            if unknown := sorted(set(data) - settable):
                raise serializers.ValidationError({name: [UNKNOWN] for name in unknown})
        return super().to_internal_value(data)


class ResourceSerializer(serializers.ModelSerializer[Any]):
    """Output: one per resource; amounts become decimal strings by themselves."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        model_fields.AmountField: AmountField,
    }


@extend_schema_field(OpenApiTypes.OBJECT)
class ObjectField(serializers.JSONField):
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
