"""Signatures in JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class SignatureSerializer(serializers.Serializer[Any]):
    """An Ed25519 signature over a tag, a line feed and the canonical JSON."""

    alg = serializers.CharField()
    key_id = serializers.CharField()
    sig = serializers.CharField()
