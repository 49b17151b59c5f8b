"""Models of graphics cards: the catalogue, filtered."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.errors import Invalid
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.gpu.models import ConsumerGPUProfile
from apps.gpu.serializers.profiles import GpuProfileSerializer, ProfileFilterSerializer
from apps.gpu.services import catalogue


class ProfileViewSet(DomainViewSet):
    """The catalogue of GPU models."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"profiles": PUBLIC}
    pagination_class = None

    @extend_schema(responses=GpuProfileSerializer(many=True), parameters=[ProfileFilterSerializer])
    def profiles(self, request: Request) -> Response:
        """The models of card in the catalogue, by vendor and model."""
        query = self.filters(ProfileFilterSerializer)
        return self.answer(_profiles(query), serializer=GpuProfileSerializer)


def _profiles(query: dict[str, Any]) -> QuerySet[ConsumerGPUProfile]:
    catalogue.ensure()
    rows = ConsumerGPUProfile.objects.all()
    if "architecture" in query:
        rows = rows.filter(architecture=_architecture(query["architecture"]))
    if "vendor" in query:
        rows = rows.filter(vendor__iexact=query["vendor"])
    flags = {name: query[name] for name in ("edge_optimized", "consumer_grade") if name in query}
    least = max(query.get("min_memory_gb", 0), query.get("min_vram", 0))
    for word in query.get("q", "").split():
        rows = rows.filter(Q(vendor__icontains=word) | Q(model__icontains=word) | Q(architecture__icontains=word))
    return rows.filter(memory_gb__gte=least, **flags)


def _architecture(query: str) -> str:
    """The architecture meant; Invalid, with the known ones, for any other."""
    known = sorted({*ConsumerGPUProfile.objects.values_list("architecture", flat=True).distinct(), "unknown"})
    spelling = catalogue.spelled(query)
    if spelling not in known:
        message = f"Known are {', '.join(known)}."
        raise Invalid(f"architecture: {message}", errors=[{"field": "architecture", "message": message}])
    return spelling
