"""Withdrawals in JSON."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers

from aitbc.core.serializers import AmountField, ResourceSerializer, StrictSerializer
from apps.trading.models import Withdrawal
from apps.trading.services.deposits import LARGEST
from apps.trading.states import WithdrawalState


class WithdrawalSerializer(ResourceSerializer):
    """A withdrawal; its amount is held until it has ended. Which users decided is in the admin alone."""

    class Meta:
        model = Withdrawal
        fields: ClassVar = [
            "id", "owner_id", "state", "amount", "destination", "hold_id", "two_person", "external_reference",
            "decision", "due_at", "created_at", "ended_at",
        ]  # fmt: skip


class WithdrawalRequestSerializer(StrictSerializer):
    """Money to be paid out."""

    amount = AmountField(min_value=1, max_value=LARGEST)
    destination = serializers.CharField(max_length=200)


class WithdrawalRejectSerializer(StrictSerializer):
    """Why it is not paid; its owner sees that."""

    reason = serializers.CharField(max_length=300)


class WithdrawalPaySerializer(StrictSerializer):
    """The payment outside."""

    external_reference = serializers.CharField(max_length=200)


class WithdrawalFilterSerializer(StrictSerializer):
    """Which withdrawals."""

    state = serializers.ChoiceField(choices=WithdrawalState.choices, required=False)
    owner_id = serializers.UUIDField(required=False)
