"""Searching offers, by GET with a filter string or by POST with terms; open to everybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.marketplace.models import MarketplaceOffer
from apps.marketplace.search.finding import explain, find
from apps.marketplace.serializers.search import (
    FieldSerializer,
    FoundOfferSerializer,
    FoundSerializer,
    SearchQuerySerializer,
    SearchSerializer,
    described,
    explained,
    read,
)


class SearchViewSet(DomainViewSet):
    """Offers by what they are, cost and are worth."""

    queryset = MarketplaceOffer.objects.none()
    serializer_class = FoundSerializer
    pagination_class = None
    required_scopes: ClassVar[Mapping[str, Scopes]] = {"search": PUBLIC, "query": PUBLIC, "fields": PUBLIC}

    @extend_schema(parameters=[SearchQuerySerializer], responses=FoundSerializer)
    def search(self, request: Request) -> Response:
        """Offers that satisfy every term; rentable and not booked out unless you name `rentable` or `booked`."""
        return self._found(self.validated(SearchQuerySerializer, request.query_params.dict()))

    @extend_schema(request=SearchSerializer, responses=FoundSerializer)
    def query(self, request: Request) -> Response:
        """The same as JSON: terms as objects, values as JSON."""
        return self._found(self.validated(SearchSerializer))

    @extend_schema(responses=FieldSerializer(many=True))
    def fields(self, request: Request) -> Response:
        """Every field a search may name: its kind, unit and other names."""
        return self.answer(described())

    def _found(self, requested: dict[str, Any]) -> Response:
        search = read(requested)
        page = find(search, limit=requested["limit"], cursor_token=requested.get("cursor"))
        writer = FoundOfferSerializer(page.offers, many=True, context={"workload": search.workload})
        body: dict[str, Any] = {
            "items": writer.data, "next": page.next_cursor, "terms": [str(term) for term in search.terms],
            "order": [str(key) for key in search.order],
        }  # fmt: skip
        if requested["explain"]:
            body["explain"] = explained(explain(search))
        return self.answer(body)
