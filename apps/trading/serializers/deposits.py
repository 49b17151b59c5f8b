"""Deposits in JSON."""

from __future__ import annotations

from rest_framework import serializers

from aitbc.core.serializers import AmountField, StrictSerializer
from apps.trading.services.deposits import LARGEST


class DepositSerializer(StrictSerializer):
    """Money that came in for an owner."""

    owner_id = serializers.UUIDField()
    amount = AmountField(min_value=1, max_value=LARGEST)
    reason = serializers.CharField(max_length=500)
