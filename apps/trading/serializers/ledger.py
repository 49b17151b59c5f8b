"""Accounts and transfers in JSON: amounts are decimal strings of AIT."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers

from aitbc.core.serializers import AmountField, ResourceSerializer, StrictSerializer
from apps.trading.models import LedgerAccount, Transfer
from apps.trading.states import AccountKind, Code


class AccountSerializer(ResourceSerializer):
    """One account; available = posted credits - posted debits - held."""

    balance = AmountField(read_only=True)
    available = AmountField(read_only=True)
    held = AmountField(read_only=True)

    class Meta:
        model = LedgerAccount
        fields: ClassVar = [
            "id", "owner_id", "kind", "shard", "balance", "available", "held",
            "posted_debits", "posted_credits", "pending_debits", "pending_credits", "created_at",
        ]  # fmt: skip


class AccountFilterSerializer(StrictSerializer):
    """Which accounts."""

    owner_id = serializers.UUIDField(required=False)
    kind = serializers.ChoiceField(choices=AccountKind.choices, required=False)


class TransferSerializer(ResourceSerializer):
    """One transfer as it was made; nothing in it ever changes."""

    class Meta:
        model = Transfer
        fields: ClassVar = [
            "id", "seq", "debit_id", "credit_id", "amount", "code", "phase", "pending_id", "timeout_at", "group_id",
            "ref", "actor", "reason", "at", "leaf",
        ]  # fmt: skip


class TransferFilterSerializer(StrictSerializer):
    """Which transfers."""

    ref = serializers.UUIDField(required=False)
    group_id = serializers.UUIDField(required=False)
    code = serializers.ChoiceField(choices=Code.choices, required=False)


class EntrySerializer(ResourceSerializer):
    """One transfer as an account sees it."""

    side = serializers.SerializerMethodField()
    other_account_id = serializers.SerializerMethodField()

    class Meta:
        model = Transfer
        fields: ClassVar = [
            "id", "seq", "side", "other_account_id", "amount", "code", "phase", "pending_id",
            "ref", "reason", "at", "leaf",
        ]  # fmt: skip

    def get_side(self, transfer: Transfer) -> str:
        return "debit" if transfer.debit_id == self.context["account_id"] else "credit"

    def get_other_account_id(self, transfer: Transfer) -> UUID:
        return transfer.credit_id if transfer.debit_id == self.context["account_id"] else transfer.debit_id


class BalanceSerializer(serializers.Serializer[Any]):
    """The caller's money."""

    owner_id = serializers.UUIDField()
    currency = serializers.CharField()
    available = AmountField()
    held = AmountField()
    total = AmountField()


def balance_of(account: LedgerAccount | None, owner_id: UUID, currency: str) -> dict[str, Any]:
    """The input of BalanceSerializer for an owner, amounts in micro-AIT; all are 0 without an account."""
    found = account or LedgerAccount(owner_id=owner_id)
    return {
        "owner_id": owner_id, "currency": currency,
        "available": found.available, "held": found.held, "total": found.balance,
    }  # fmt: skip
