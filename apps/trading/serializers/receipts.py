"""Receipts and their bundles in JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import StrictSerializer
from aitbc.core.site import PublishedKeySerializer
from apps.trading.serializers.blocks import HeaderSerializer
from apps.trading.serializers.signatures import SignatureSerializer


class ReceiptFilterSerializer(StrictSerializer):
    """Which receipts."""

    job = serializers.UUIDField(required=False)
    miner = serializers.UUIDField(required=False)
    client = serializers.CharField(required=False, max_length=40, help_text="The alias on the receipts.")

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of Python's own.
        return {**super().get_fields(), "from": serializers.DateTimeField(required=False)}


class ReceiptBodySerializer(serializers.Serializer[Any]):
    """A receipt as it is signed; owners appear by alias, input and output by hash, money in AIT (`rate` per hour)."""

    v = serializers.IntegerField()
    receipt_id = serializers.UUIDField()
    job = serializers.UUIDField()
    client = serializers.CharField()
    provider = serializers.CharField()
    miner = serializers.UUIDField()
    task_type = serializers.CharField()
    model = serializers.CharField(allow_blank=True)
    attempt = serializers.IntegerField()
    input_hash = serializers.CharField()
    output_hash = serializers.CharField()
    started = serializers.CharField()
    ended = serializers.CharField()
    metered_ms = serializers.IntegerField()
    rate = serializers.CharField()
    price = serializers.CharField()
    fee = serializers.CharField()
    refunded = serializers.CharField()
    currency = serializers.CharField()
    issued = serializers.CharField()


class ReceiptRowSerializer(serializers.Serializer[Any]):
    """A receipt; `payload` is the signed body, the camel-case names are those of legacy clients."""

    receipt_id = serializers.UUIDField()
    receiptId = serializers.CharField()
    job_id = serializers.UUIDField()
    jobId = serializers.CharField()
    miner = serializers.CharField()
    coordinator = serializers.CharField()
    issuedAt = serializers.CharField()
    status = serializers.CharField()
    payload = ReceiptBodySerializer()
    signature = SignatureSerializer()
    tx_hash = serializers.CharField()


class SealingBlockSerializer(serializers.Serializer[Any]):
    """The block that holds the receipt: header, signature, and the receipt's place in the block alone."""

    header = HeaderSerializer()
    signature = SignatureSerializer()
    inclusion = serializers.ListField(child=serializers.CharField())


class BundleSerializer(serializers.Serializer[Any]):
    """All that verify_receipt.py needs (docs/receipts.md)."""

    v = serializers.IntegerField()
    receipt = ReceiptBodySerializer()
    signature = SignatureSerializer()
    entry = serializers.CharField()
    index = serializers.IntegerField()
    inclusion = serializers.ListField(child=serializers.CharField())
    checkpoint = serializers.CharField()
    block = SealingBlockSerializer()
    previous = HeaderSerializer(allow_null=True)
    keys = PublishedKeySerializer(many=True)
