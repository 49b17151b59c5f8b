"""Receipts and their bundles in JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import StrictSerializer, TimestampField
from aitbc.core.site import PublishedKeySerializer
from apps.trading.serializers.blocks import HeaderSerializer
from apps.trading.serializers.signatures import SignatureSerializer


class ReceiptFilterSerializer(StrictSerializer):
    """Which receipts."""

    job = serializers.UUIDField(required=False)
    miner = serializers.CharField(required=False, max_length=40, help_text="The alias on the receipts.")
    client = serializers.CharField(required=False, max_length=40, help_text="The alias on the receipts.")

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of Python's own.
        return {**super().get_fields(), "from": TimestampField(required=False)}


class ReceiptBodySerializer(serializers.Serializer[Any]):
    """A receipt as it is signed, of a job, or of a slice of a booking (`booking`, `slice`, `total`).

    Owners and miners appear by alias, input and output by salted hash, money in AIT (`rate` per hour).
    """

    v = serializers.IntegerField()
    receipt_id = serializers.UUIDField()
    job = serializers.UUIDField(required=False)
    outcome = serializers.CharField(
        required=False, help_text="completed, or how the job ended whose metered part was paid."
    )
    booking = serializers.UUIDField(required=False)
    slice = serializers.IntegerField(required=False)
    client = serializers.CharField()
    provider = serializers.CharField()
    miner = serializers.CharField(required=False)
    task_type = serializers.CharField(required=False)
    model = serializers.CharField(required=False, allow_blank=True)
    attempt = serializers.IntegerField(required=False)
    input_hash = serializers.CharField(required=False)
    output_hash = serializers.CharField(required=False, allow_blank=True)
    started = serializers.CharField(required=False)
    ended = serializers.CharField(required=False)
    metered_ms = serializers.IntegerField(required=False)
    rate = serializers.CharField(required=False)
    price = serializers.CharField()
    fee = serializers.CharField()
    refunded = serializers.CharField(required=False)
    total = serializers.CharField(required=False, help_text="The price of the booking so far.")
    currency = serializers.CharField()
    issued = serializers.CharField()


class OpeningSerializer(serializers.Serializer[Any]):
    """What the hashes of input and output were made from, in hex (docs/receipts.md)."""

    salt = serializers.CharField()
    payload_sha256 = serializers.CharField()
    artifacts = serializers.ListField(child=serializers.CharField())
    result_sha256 = serializers.CharField(allow_blank=True)


class ReceiptRowSerializer(serializers.Serializer[Any]):
    """A receipt; `payload` is the signed body, the camel-case names are those of legacy clients."""

    receipt_id = serializers.UUIDField()
    receiptId = serializers.CharField()
    job_id = serializers.UUIDField(allow_null=True)
    jobId = serializers.CharField(allow_null=True)
    miner = serializers.CharField(allow_null=True)
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
    opening = OpeningSerializer(required=False, help_text="For the job's owner only.")
