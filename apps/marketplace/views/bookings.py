"""Routes of bookings: a renter sees its own, a provider those of its offers, others nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.pagination import KeysetPagination
from aitbc.core.schema import GONE, IDEMPOTENCY_KEY, MONEY, NOT_THERE
from aitbc.core.viewsets import DomainViewSet, Scopes
from apps.marketplace.errors import NotTheProvider, NotTheRenter
from apps.marketplace.models import BookingTransition, GPUBooking, IdempotencyRecord, MarketplaceOffer, Quote
from apps.marketplace.selectors.offers import bookable
from apps.marketplace.serializers.bookings import (
    BookingFilterSerializer,
    BookingReasonSerializer,
    BookingRequestSerializer,
    BookingSerializer,
    BookingTimelineSerializer,
    ExtendSerializer,
    ExtensionSerializer,
    ReclaimSerializer,
)
from apps.marketplace.services import bookings, extensions, provisioning

RENTERS: Scopes = ("client", "trader")


PROVIDERS: Scopes = ("miner", "client")


PARTIES: Scopes = ("client", "trader", "miner")


READERS: Scopes = (*PARTIES, "read")


#: How a booking can be refused, wherever the offer or the quote is named.
REFUSALS: dict[Any, Any] = {**MONEY, **NOT_THERE, **GONE}


class BookingBaseViewSet(DomainViewSet):
    """What books: the same answer once per Idempotency-Key."""

    def renter(self) -> str:
        return f"renter:{self.actor.pk}"

    def book(self, terms: Mapping[str, Any], offer: MarketplaceOffer | None = None) -> GPUBooking:
        """By an offer and terms, or by a quote of the caller's own."""
        data = dict(terms)
        who = {"renter_id": self.actor.pk, "actor": self.renter()}
        if "quote_id" in data:
            quote = Quote.objects.select_related("offer").filter(pk=data["quote_id"], renter_id=self.actor.pk).first()
            if quote is None or (offer is not None and quote.offer_id != offer.pk):
                raise Http404
            return bookings.book(offer=quote.offer, quote=quote, **who)
        chosen = offer or bookable(data.pop("offer_id"))
        return bookings.book(offer=chosen, **who, **data)


class BookingViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, BookingBaseViewSet):
    """Bookings the caller is a party of."""

    required_scopes: ClassVar[dict[str, Scopes]] = {
        "create": RENTERS, "extend": RENTERS, "end": RENTERS, "cancel": PARTIES, "ready": PROVIDERS,
        "reclaim": PROVIDERS, **dict.fromkeys(("list", "retrieve", "events", "extensions"), READERS),
    }  # fmt: skip
    queryset = GPUBooking.objects.all()
    lookup_value_converter = "id"
    serializer_class = BookingSerializer
    filter_serializer = BookingFilterSerializer
    pagination_class = KeysetPagination
    ordering = ("-created_at", "-id")

    def get_queryset(self) -> QuerySet[GPUBooking]:
        rows = GPUBooking.objects.select_related("offer").prefetch_related("slot_slices")
        return rows if self.actor.may("operator") else rows.of_party(self.actor.pk)

    def narrow(self, queryset: QuerySet[GPUBooking], filters: dict[str, Any]) -> QuerySet[GPUBooking]:
        column = {"renter": "renter_id", "provider": "provider_id"}
        if role := filters.get("role"):
            queryset = queryset.filter(**{column[role]: self.actor.pk})
        if states := filters.get("state"):
            queryset = queryset.filter(state__in=states)
        return queryset.filter(offer_id=filters["offer_id"]) if "offer_id" in filters else queryset

    @extend_schema(
        request=BookingRequestSerializer, responses={201: BookingSerializer, **REFUSALS}, parameters=[IDEMPOTENCY_KEY]
    )
    def create(self, request: Request) -> HttpResponseBase:
        """Book an offer, now or for later, or by a quote. Its slots are taken at once, the money is set aside next."""
        terms = self.validated(BookingRequestSerializer)
        return self.idempotently(IdempotencyRecord, lambda: self.answer(self.book(terms), status=201))

    @extend_schema(request=BookingReasonSerializer, responses=BookingSerializer)
    @action(detail=True, methods=["post"], pagination_class=None)
    def cancel(self, request: Request, pk: Any = None) -> Response:
        """End it on the word of either party; what each of them then pays is in docs/renters.md."""
        reason = self.validated(BookingReasonSerializer)["reason"]
        booking = self.get_object()
        who = {"party_id": self.actor.pk, "actor": self.party(booking), "reason": reason}
        return self.answer(bookings.cancel(booking=booking, **who))

    @extend_schema(
        request=ExtendSerializer, responses={201: ExtensionSerializer, **MONEY}, parameters=[IDEMPOTENCY_KEY]
    )
    @action(detail=True, methods=["post"], pagination_class=None)
    def extend(self, request: Request, pk: Any = None) -> HttpResponseBase:
        """Ask for more time: the slots are kept at once, the end moves as soon as the money is set aside."""
        data = self.validated(ExtendSerializer)
        booking = self.rented()
        return self.idempotently(IdempotencyRecord, lambda: self._extend(booking, data))

    def _extend(self, booking: GPUBooking, data: dict[str, Any]) -> Response:
        extension = extensions.extend(booking=booking, actor=self.renter(), **data)
        return self.answer(extension, status=201, serializer=ExtensionSerializer)

    @extend_schema(responses=ExtensionSerializer(many=True))
    @action(detail=True, pagination_class=None)
    def extensions(self, request: Request, pk: Any = None) -> Response:
        """More time that was requested, newest first."""
        rows = list(self.get_object().extensions.order_by("-created_at", "-pk"))
        return self.answer(rows, serializer=ExtensionSerializer)

    @extend_schema(request=None, responses=BookingSerializer)
    @action(detail=True, methods=["post"], pagination_class=None)
    def end(self, request: Request, pk: Any = None) -> Response:
        """The renter needs it no longer: what was used is paid, the rest comes back."""
        return self.answer(bookings.end(booking=self.rented(), actor=self.renter()))

    @extend_schema(request=None, responses=BookingSerializer)
    @action(detail=True, methods=["post"], pagination_class=None)
    def ready(self, request: Request, pk: Any = None) -> Response:
        """The provider says that the GPUs are ready: the meter starts, or will when its time comes."""
        booking = self.provided()
        return self.answer(provisioning.ready(booking=booking, actor=self.party(booking)))

    @extend_schema(request=ReclaimSerializer, responses=BookingSerializer)
    @action(detail=True, methods=["post"], pagination_class=None)
    def reclaim(self, request: Request, pk: Any = None) -> Response:
        """The provider wants its GPUs back, with the notice it promised; the offer is paused."""
        data = self.validated(ReclaimSerializer)
        booking = self.provided()
        return self.answer(bookings.reclaim(booking=booking, actor=self.party(booking), **data))

    @extend_schema(responses=BookingTimelineSerializer)
    @action(detail=True, pagination_class=None)
    def events(self, request: Request, pk: Any = None) -> Response:
        """Every transition of the booking: when, by whom and why."""
        booking = self.get_object()
        transitions = BookingTransition.objects.filter(subject_id=booking.pk).order_by("seq")
        return self.answer({"booking_id": booking.pk, "items": transitions}, serializer=BookingTimelineSerializer)

    def party(self, booking: GPUBooking) -> str:
        return f"provider:{self.actor.pk}" if booking.provider_id == self.actor.pk else self.renter()

    def rented(self) -> GPUBooking:
        booking: GPUBooking = self.get_object()
        if booking.renter_id != self.actor.pk:
            raise NotTheRenter()
        return booking

    def provided(self) -> GPUBooking:
        booking: GPUBooking = self.get_object()
        if booking.provider_id != self.actor.pk:
            raise NotTheProvider()
        return booking
