"""Queries and responses of the log's endpoints: proofs, keys, statistics, the report on a bundle."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import StrictSerializer
from aitbc.core.site import PublishedKeysSerializer
from apps.trading.serializers.blocks import BIGGEST

HASH = re.compile(r"[0-9a-fA-F]{64}")


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


class InclusionSerializer(serializers.Serializer[Any]):
    """An inclusion proof of RFC 9162."""

    index = serializers.IntegerField()
    size = serializers.IntegerField()
    leaf_hash = serializers.CharField()
    root = serializers.CharField()  # type: ignore[assignment]  # the member's name is also a property of DRF's Field
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
