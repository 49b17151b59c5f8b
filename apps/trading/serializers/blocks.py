"""Blocks of the log in JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import ObjectField, StrictSerializer
from apps.trading.serializers.signatures import SignatureSerializer

BIGGEST = 2**53 - 1


class BlockFilterSerializer(StrictSerializer):
    """Which blocks."""

    before = serializers.IntegerField(required=False, min_value=0, max_value=BIGGEST, help_text="Heights below this.")


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


class BlockRowSerializer(serializers.Serializer[Any]):
    """A block in a list; `timestamp`, `txCount` and `proposer` are names of legacy clients for parts of it."""

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
    """A block with all its parts: the signed header, the signature, the checkpoint and the ledger's totals."""

    block_id = serializers.CharField()
    header = HeaderSerializer()
    signature = SignatureSerializer()
    checkpoint = serializers.CharField()
    ledger = ObjectField()
