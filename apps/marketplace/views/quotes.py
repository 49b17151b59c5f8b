"""Routes of quotes: a renter makes and reads its own."""

from __future__ import annotations

from typing import ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.schema import NOT_THERE
from aitbc.core.viewsets import DomainViewSet, Scopes
from apps.marketplace.models import Quote
from apps.marketplace.selectors.offers import bookable
from apps.marketplace.serializers.quotes import QuoteRequestSerializer, QuoteSerializer
from apps.marketplace.services import quotes
from apps.marketplace.views.bookings import RENTERS


class QuoteViewSet(mixins.RetrieveModelMixin, DomainViewSet):
    """Prices kept open for a minute, signed."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"create": RENTERS, "retrieve": (*RENTERS, "read")}
    serializer_class = QuoteSerializer
    queryset = Quote.objects.all()
    lookup_value_converter = "id"

    def get_queryset(self) -> QuerySet[Quote]:
        return super().get_queryset().filter(renter_id=self.actor.pk)

    @extend_schema(request=QuoteRequestSerializer, responses={201: QuoteSerializer, **NOT_THERE})
    def create(self, request: Request) -> Response:
        """Name the price of a booking and keep it open for 60 seconds. It takes no slot and no money."""
        data = self.validated(QuoteRequestSerializer)
        offer = bookable(data.pop("offer_id"))
        return self.answer(quotes.make(offer=offer, renter_id=self.actor.pk, **data), status=201)
