"""Doors that belong to no domain: the published signing keys and the metrics."""

from __future__ import annotations

from typing import ClassVar

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core import metrics, signing
from aitbc.core.api import PUBLIC, DomainViewSet, Scopes


class SiteViewSet(DomainViewSet):
    """What a verifier and a monitor need of the exchange as a whole."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"keys": PUBLIC, "metrics": "operator"}
    pagination_class = None

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def keys(self, request: Request) -> Response:
        """The public keys that receipts and checkpoints are signed with, and when each was good."""
        return self.answer(signing.published_keys(), headers={"Cache-Control": "public, max-age=60"})

    @extend_schema(responses={(200, "text/plain"): OpenApiResponse(OpenApiTypes.STR)})
    def metrics(self, request: Request) -> HttpResponse:
        """Prometheus' text format."""
        return metrics.exposition()
