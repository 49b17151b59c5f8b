"""Entries of the log in JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import ObjectField


class EntryRowSerializer(serializers.Serializer[Any]):
    """An entry of the log; `leaf` is its bytes in base64."""

    index = serializers.IntegerField()
    hash = serializers.CharField()
    kind = serializers.CharField()
    body = ObjectField()
    leaf = serializers.CharField()


class TransactionSerializer(serializers.Serializer[Any]):
    """An entry of the log as an explorer shows it."""

    hash = serializers.CharField()
    tx_hash = serializers.CharField()
    kind = serializers.CharField()
    status = serializers.ChoiceField(["submitted", "sealed"])
    index = serializers.IntegerField(allow_null=True)
    block = serializers.IntegerField(allow_null=True)
    block_hash = serializers.CharField(allow_null=True)
    confirmations = serializers.IntegerField()
    timestamp = serializers.CharField()
    to = serializers.CharField(allow_null=True)
    amount = serializers.CharField(allow_null=True)
    fee = serializers.CharField(allow_null=True)
    raw = ObjectField()
    chain_id = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "from": serializers.CharField(allow_null=True)}
