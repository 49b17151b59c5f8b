"""How many GPUs, when and for how long: what quotes, bookings and extensions have in common."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import (
    QuantityField,
    StrictSerializer,
    TimestampField,
)

LONGEST_S = 366 * 86_400


def hours_field() -> QuantityField:
    """A duration in hours, from about a second to 366 days."""
    return QuantityField(
        max_digits=8, decimal_places=4, min_value=Decimal("0.0003"), max_value=Decimal(8784), required=False
    )


def in_seconds(attrs: dict[str, Any]) -> dict[str, Any]:
    """One duration in seconds, however it was written."""
    hours = attrs.pop("duration_hours", None)
    if hours is not None:
        if "duration_s" in attrs:
            raise serializers.ValidationError({"duration_hours": ["Give duration_s or duration_hours, not both."]})
        attrs["duration_s"] = max(1, int(hours * 3600))
    return attrs


class TermsSerializer(StrictSerializer):
    """How many GPUs, when and for how long."""

    gpu_count = serializers.IntegerField(min_value=1, max_value=1024, required=False, help_text="Else all of them.")
    duration_s = serializers.IntegerField(min_value=1, max_value=LONGEST_S, required=False)
    duration_hours = hours_field()
    starts_at = TimestampField(required=False, allow_null=True, help_text="Else at once.")
    storage_gb = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False)
