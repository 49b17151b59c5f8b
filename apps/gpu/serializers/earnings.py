"""What a GPU earns per hour, and the assumptions of the calculation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from aitbc.core.serializers import AmountField, ObjectField, StrictSerializer


class EarningsQuerySerializer(StrictSerializer):
    power_price = AmountField(default=300_000, help_text="AIT per kWh.")
    utilisation = serializers.DecimalField(
        max_digits=5, decimal_places=4, min_value=0, max_value=1, default=Decimal("0.5")
    )
    price = AmountField(required=False, help_text="AIT per hour; without it the card's present price.")
    idle_w = serializers.DecimalField(required=False, max_digits=8, decimal_places=2, min_value=0, max_value=5000)
    load_w = serializers.DecimalField(required=False, max_digits=8, decimal_places=2, min_value=0, max_value=5000)


@extend_schema_serializer(component_name="CardEarnings")
class GpuEarningsSerializer(serializers.Serializer[Any]):
    """Amounts are AIT per hour."""

    gpu_id = serializers.CharField()
    price_per_hour = AmountField()
    power_price = AmountField(help_text="AIT per kWh.")
    utilisation = serializers.CharField()
    idle_w = serializers.CharField()
    load_w = serializers.CharField()
    fee_bp = serializers.IntegerField()
    energy_per_hour = AmountField()
    net_per_hour = serializers.CharField(help_text="AIT; negative is a loss.")
    break_even_price = AmountField(allow_null=True)
    recommended_price = AmountField(allow_null=True)
    inputs = ObjectField(help_text="Where each figure comes from.")
