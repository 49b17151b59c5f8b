"""Deposits in JSON."""

from __future__ import annotations

from uuid import UUID

from rest_framework import serializers

from aitbc.accounts import interface as accounts
from aitbc.accounts.errors import OwnerUnknown
from aitbc.core.serializers import AmountField, StrictSerializer
from apps.trading.services.deposits import LARGEST


class DepositSerializer(StrictSerializer):
    """Money that came in for an owner."""

    owner_id = serializers.UUIDField()
    amount = AmountField(min_value=1, max_value=LARGEST)
    reason = serializers.CharField(max_length=500)

    def validate_owner_id(self, owner_id: UUID) -> UUID:
        if owner_id.int == 0:
            raise serializers.ValidationError("That is the exchange itself.")
        try:
            return accounts.owner(owner_id).id
        except OwnerUnknown as error:
            raise serializers.ValidationError(error.detail) from error
