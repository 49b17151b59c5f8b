"""Reversals in JSON."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers

from aitbc.core.serializers import AmountField, ResourceSerializer, StrictSerializer
from apps.trading.models import Reversal
from apps.trading.states import ReversalState


class ReversalSerializer(ResourceSerializer):
    """A reversal; the transfer `reversal_id` exists once it is posted."""

    amount = AmountField(read_only=True)

    class Meta:
        model = Reversal
        fields: ClassVar = [
            "id", "transfer_id", "reversal_id", "state", "amount", "reason", "two_person", "proposed_by", "approved_by",
            "due_at", "created_at", "ended_at",
        ]  # fmt: skip


class ReversalCreateSerializer(StrictSerializer):
    """The transfer to reverse, and why."""

    transfer_id = serializers.UUIDField()
    reason = serializers.CharField(max_length=500)


class ReversalRejectSerializer(StrictSerializer):
    """Why it is not to be."""

    reason = serializers.CharField(max_length=300)


class ReversalFilterSerializer(StrictSerializer):
    """Which reversals."""

    state = serializers.ChoiceField(choices=ReversalState.choices, required=False)
    transfer_id = serializers.UUIDField(required=False)
