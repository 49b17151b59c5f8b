"""Booking an offer at its own address, as legacy clients do."""

from __future__ import annotations

from typing import ClassVar

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from aitbc.core.schema import IDEMPOTENCY_KEY
from aitbc.core.viewsets import Scopes
from apps.marketplace.legacy.serializers.bookings import LegacyBookedSerializer, OfferBookSerializer
from apps.marketplace.models import IdempotencyRecord
from apps.marketplace.selectors.offers import bookable
from apps.marketplace.views.bookings import REFUSALS, RENTERS, BookingBaseViewSet


class OfferBookViewSet(BookingBaseViewSet):
    """Booking an offer by its own address, as legacy clients do."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"create": RENTERS}
    serializer_class = LegacyBookedSerializer

    @extend_schema(
        request=OfferBookSerializer, responses={201: LegacyBookedSerializer, **REFUSALS}, parameters=[IDEMPOTENCY_KEY]
    )
    def create(self, request: Request, pk: str) -> HttpResponseBase:
        """Book this offer; an hour and all of its GPUs by default."""
        terms = self.validated(OfferBookSerializer)
        return self.idempotently(IdempotencyRecord, lambda: self.answer(self.book(terms, bookable(pk)), status=201))
