"""What the explorer reads from a query string, and what it answers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.pagination import LARGEST
from aitbc.core.serializers import LenientSerializer, ObjectField, StrictSerializer
from aitbc.core.site import PublishedKeySerializer, PublishedKeysSerializer

BIGGEST = 2**53 - 1


class OffsetSerializer(LenientSerializer):
    """Paging of the predecessor's lists."""

    limit = serializers.IntegerField(default=10, min_value=1, max_value=LARGEST)
    offset = serializers.IntegerField(default=0, min_value=0, max_value=BIGGEST)
    chain_id = serializers.CharField(default="", max_length=100, allow_blank=True)


class ReceiptOffsetSerializer(OffsetSerializer):
    """The predecessor's list of receipts."""

    job_id = serializers.UUIDField(required=False)
    status = serializers.CharField(required=False, max_length=40)


class ReceiptFilterSerializer(StrictSerializer):
    """Which receipts."""

    job = serializers.UUIDField(required=False)
    miner = serializers.UUIDField(required=False)
    client = serializers.CharField(required=False, max_length=40, help_text="The alias on the receipts.")

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of Python's own.
        return {**super().get_fields(), "from": serializers.DateTimeField(required=False)}


class BlockFilterSerializer(StrictSerializer):
    """Which blocks."""

    before = serializers.IntegerField(required=False, min_value=0, max_value=BIGGEST, help_text="Heights below this.")


class HashField(serializers.RegexField):
    """64 hex digits."""

    default_error_messages = {"invalid": "A hash is 64 hex digits."}

    def __init__(self, **options: Any) -> None:
        super().__init__(r"^[0-9a-fA-F]{64}\Z", **options)

    def to_internal_value(self, data: Any) -> str:
        return str(super().to_internal_value(data)).lower()


class InclusionQuerySerializer(StrictSerializer):
    """Which entry, and in which tree; `hash` or `index`, not both."""

    index = serializers.IntegerField(required=False, min_value=0, max_value=BIGGEST)
    size = serializers.IntegerField(required=False, min_value=1, max_value=BIGGEST)

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "hash": HashField(required=False)}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("hash" in attrs) == ("index" in attrs):
            raise serializers.ValidationError("Give either hash or index.")
        return attrs


class ConsistencyQuerySerializer(StrictSerializer):
    """Between which two sizes."""

    first = serializers.IntegerField(min_value=0, max_value=BIGGEST)
    second = serializers.IntegerField(required=False, min_value=0, max_value=BIGGEST)


class SignatureSerializer(serializers.Serializer[Any]):
    """An Ed25519 signature over a tag, a line feed and the canonical JSON."""

    alg = serializers.CharField()
    key_id = serializers.CharField()
    sig = serializers.CharField()


class HeaderSerializer(serializers.Serializer[Any]):
    """What is signed of a block."""

    v = serializers.IntegerField()
    chain = serializers.CharField()
    height = serializers.IntegerField()
    prev = serializers.CharField(help_text="SHA-256 of the previous header; 64 zeros for the first.")
    time = serializers.CharField()
    first = serializers.IntegerField()
    count = serializers.IntegerField()
    batch_root = serializers.CharField()
    tree_size = serializers.IntegerField()
    tree_root = serializers.CharField()
    state = ObjectField()
    anchor = serializers.JSONField(help_text="Where the head was published elsewhere; null when nowhere.")


class SealingBlockSerializer(serializers.Serializer[Any]):
    """The block that holds the receipt: header, signature, and the receipt's place in the block alone."""

    header = HeaderSerializer()
    signature = SignatureSerializer()
    inclusion = serializers.ListField(child=serializers.CharField())


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


class BlockRowSerializer(serializers.Serializer[Any]):
    """A block in a list; `timestamp`, `txCount` and `proposer` are the predecessor's names for parts of it."""

    height = serializers.IntegerField()
    hash = serializers.CharField()
    prev = serializers.CharField()
    timestamp = serializers.CharField()
    txCount = serializers.IntegerField()
    proposer = serializers.CharField()
    first = serializers.IntegerField()
    count = serializers.IntegerField()
    tree_size = serializers.IntegerField()
    tree_root = serializers.CharField()


class BlockSerializer(BlockRowSerializer):
    """A block whole: what is signed, the signature, and what its hashes stand for."""

    block_id = serializers.CharField()
    header = HeaderSerializer()
    signature = SignatureSerializer()
    checkpoint = serializers.CharField()
    ledger = ObjectField()


class EnvelopeSerializer(serializers.Serializer[Any]):
    """What the predecessor's lists say about themselves."""

    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    next_offset = serializers.IntegerField(allow_null=True)
    chain_id = serializers.CharField()


class BlockPageSerializer(EnvelopeSerializer):
    """The same blocks under two names: different clients read different ones."""

    blocks = BlockRowSerializer(many=True)
    items = BlockRowSerializer(many=True)


class ReceiptRowSerializer(serializers.Serializer[Any]):
    """A receipt; `payload` is the signed body, the camel-case names are the predecessor's."""

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


class ReceiptPageSerializer(EnvelopeSerializer):
    """The same receipts under two names: different clients read different ones."""

    receipts = ReceiptRowSerializer(many=True)
    items = ReceiptRowSerializer(many=True)
    job_id = serializers.UUIDField(allow_null=True)
    jobId = serializers.CharField()


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


class InclusionSerializer(serializers.Serializer[Any]):
    """An inclusion proof of RFC 9162."""

    index = serializers.IntegerField()
    size = serializers.IntegerField()
    leaf_hash = serializers.CharField()
    root = serializers.CharField()
    proof = serializers.ListField(child=serializers.CharField())


class ConsistencySerializer(serializers.Serializer[Any]):
    """A consistency proof of RFC 9162."""

    first = serializers.IntegerField()
    second = serializers.IntegerField()
    first_root = serializers.CharField()
    second_root = serializers.CharField()
    proof = serializers.ListField(child=serializers.CharField())


class LogKeysSerializer(PublishedKeysSerializer):
    """The log's name, its keys, and each key as C2SP tools take it."""

    origin = serializers.CharField()
    verifiers = serializers.ListField(child=serializers.CharField())


class ReportSerializer(serializers.Serializer[Any]):
    """What the checks of a bundle found; `reason` when it was rejected."""

    valid = serializers.BooleanField()
    checks = serializers.ListField(child=serializers.CharField())
    reason = serializers.CharField(required=False)


class StatsSerializer(serializers.Serializer[Any]):
    """How large the log is and how fast it grows, over the last hundred blocks."""

    entries = serializers.IntegerField()
    waiting = serializers.IntegerField()
    blocks = serializers.IntegerField()
    entries_per_second = serializers.FloatField(allow_null=True)
    seconds_per_block = serializers.FloatField(allow_null=True)
    sealed_at = serializers.CharField(allow_null=True)
    chain_id = serializers.CharField()
