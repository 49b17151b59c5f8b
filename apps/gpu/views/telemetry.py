"""Measurements of a GPU over time, as heartbeats reported them."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.viewsets import Scopes
from apps.gpu.serializers.telemetry import MetricsQuerySerializer, MetricsSerializer
from apps.gpu.views.gpus import READERS
from apps.gpu.views.identity import GpuIdentity


class TelemetryViewSet(GpuIdentity):
    """Measurements of a GPU, for its owner, and for its renter while it is booked."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"metrics": READERS}
    pagination_class = None

    @extend_schema(responses=MetricsSerializer(many=True), parameters=[MetricsQuerySerializer])
    def metrics(self, request: Request, gpu: str) -> Response:
        """Metrics of a card, newest first, at most a row a minute. For its owner, and its renter while it is booked."""
        query = self.validated(MetricsQuerySerializer, request.query_params.dict())
        rows = self.find_gpu(gpu).metrics.order_by("-at", "-pk")[: query["limit"]]
        return self.answer(rows, serializer=MetricsSerializer)
