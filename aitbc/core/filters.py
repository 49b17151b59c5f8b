"""Filters of lists: the query string is validated by a serializer like any other input."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.filters import BaseFilterBackend
from rest_framework.settings import api_settings

from aitbc.core.pagination import PARAMETERS


class SerializerFilterBackend(BaseFilterBackend):
    """Validates the query string with the view's `filter_serializer` and applies it by the view's `narrow`.

    The parameters are published by core/schema.py; unknown ones are refused before (core/query_parameters.py).
    """

    def filter_queryset(self, request: Any, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        """Return the narrowed queryset; a detail route is not filtered. Raises ValidationError (400)."""
        serializer_class = getattr(view, "filter_serializer", None)
        if serializer_class is None or getattr(view, "detail", False):
            return queryset
        narrowed: QuerySet[Any] = view.narrow(queryset, view.filters(serializer_class))
        return narrowed


def filter_values(request: Any) -> dict[str, str]:
    """Return the query parameters that are filters: all but those of pagination and of DRF's `?format=`."""
    others = (*PARAMETERS, api_settings.URL_FORMAT_OVERRIDE)
    return {name: value for name, value in request.query_params.items() if name not in others}
