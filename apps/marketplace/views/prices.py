"""Routes of the cells of dynamic prices."""

from __future__ import annotations

from typing import ClassVar

from django.db.models import QuerySet
from rest_framework import mixins

from aitbc.core.pagination import KeysetPagination
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.marketplace.models import PriceCell
from apps.marketplace.serializers.prices import (
    CellQuerySerializer,
    CellSerializer,
)


class PriceCellViewSet(mixins.ListModelMixin, DomainViewSet):
    """The markets in which prices move by themselves."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"list": PUBLIC}
    queryset = PriceCell.objects.all()
    serializer_class = CellSerializer
    filter_serializer = CellQuerySerializer
    pagination_class = KeysetPagination
    ordering = ("gpu_model", "region", "kind", "id")

    def get_queryset(self) -> QuerySet[PriceCell]:
        return PriceCell.objects.all()
