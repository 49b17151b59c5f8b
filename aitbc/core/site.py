"""Endpoints that belong to no domain: the published signing keys and the metrics."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core import metrics, signing
from aitbc.core.serializers import TimestampField
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes


class PublishedKeySerializer(serializers.Serializer[Any]):
    """A public key, the window in which it is to be believed, and its own signature over both."""

    alg = serializers.CharField()
    key_id = serializers.CharField()
    public_key = serializers.CharField(help_text="32 bytes, base64url without padding.")
    not_before = TimestampField()
    not_after = TimestampField(allow_null=True)
    sig = serializers.CharField()


class PublishedKeysSerializer(serializers.Serializer[Any]):
    """Every key ever used, oldest first."""

    v = serializers.IntegerField()
    keys = PublishedKeySerializer(many=True)


class SiteViewSet(DomainViewSet):
    """What a verifier and a monitor need of the exchange as a whole."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"keys": PUBLIC, "metrics": "operator"}
    pagination_class = None

    @extend_schema(responses=PublishedKeysSerializer)
    def keys(self, request: Request) -> Response:
        """The public keys that receipts and checkpoints are signed with, and when each was good."""
        return self.answer(signing.published_keys(), headers={"Cache-Control": "public, max-age=60"})

    @extend_schema(responses={(200, "text/plain"): OpenApiResponse(OpenApiTypes.STR)})
    def metrics(self, request: Request) -> HttpResponse:
        """Prometheus' text format."""
        return metrics.exposition()
