"""Query strings and envelopes of the legacy lists of blocks and receipts."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.pagination import LARGEST
from aitbc.core.serializers import LenientSerializer
from apps.trading.serializers.blocks import BIGGEST, BlockRowSerializer
from apps.trading.serializers.receipts import ReceiptRowSerializer


class OffsetSerializer(LenientSerializer):
    """Paging of the legacy lists."""

    limit = serializers.IntegerField(default=10, min_value=1, max_value=LARGEST)
    offset = serializers.IntegerField(default=0, min_value=0, max_value=BIGGEST)
    chain_id = serializers.CharField(default="", max_length=100, allow_blank=True)


class ReceiptOffsetSerializer(OffsetSerializer):
    """Paging and filters of the legacy list of receipts."""

    job_id = serializers.UUIDField(required=False)
    status = serializers.CharField(required=False, max_length=40)


class EnvelopeSerializer(serializers.Serializer[Any]):
    """The envelope of the legacy lists."""

    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    next_offset = serializers.IntegerField(allow_null=True)
    chain_id = serializers.CharField()


class BlockPageSerializer(EnvelopeSerializer):
    """The same blocks under two names: different clients read different members."""

    blocks = BlockRowSerializer(many=True)
    items = BlockRowSerializer(many=True)


class ReceiptPageSerializer(EnvelopeSerializer):
    """The same receipts under two names: different clients read different members."""

    receipts = ReceiptRowSerializer(many=True)
    items = ReceiptRowSerializer(many=True)
    job_id = serializers.UUIDField(allow_null=True)
    jobId = serializers.CharField()
