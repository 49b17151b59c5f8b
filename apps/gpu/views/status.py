"""The state of the whole domain."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.gpu.serializers.status import GpuStatusSerializer
from apps.gpu.services import status


class StatusViewSet(DomainViewSet):
    """The state of the gpu domain."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"read_status": PUBLIC}
    pagination_class = None

    @extend_schema(responses=GpuStatusSerializer)
    def read_status(self, request: Request) -> Response:
        """Miners and cards by state, cards by model, the depth of the queue: counted now."""
        return self.answer(status.read(), serializer=GpuStatusSerializer)
