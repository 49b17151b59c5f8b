"""The legacy GPU marketplace (docs/renters.md): its paths, words and envelopes, over real offers and bookings.

Mounted under the marketplace's prefix and, by aitbc/urls.py, under gpu's: one view, one database.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.rows import write_each
from aitbc.core.schema import GONE, IDEMPOTENCY_KEY, MONEY
from aitbc.core.viewsets import PUBLIC, Scopes
from apps.marketplace.errors import NotBooked, NotTheProvider, OfferNotFound
from apps.marketplace.legacy import gpu_payloads as payloads
from apps.marketplace.legacy.serializers import gpus as schemas
from apps.marketplace.models import GPUBooking, IdempotencyRecord, MarketplaceOffer
from apps.marketplace.selectors import listings as selectors
from apps.marketplace.selectors.offers import bookable
from apps.marketplace.services import listings
from apps.marketplace.states import BookingState
from apps.marketplace.views.bookings import PARTIES, PROVIDERS, READERS, REFUSALS, RENTERS, BookingBaseViewSet


class LegacyGpuViewSet(BookingBaseViewSet):
    """A listed GPU is an offer, an order is a booking; money and states are as everywhere."""

    label = ""
    pagination_class = None
    serializer_class = schemas.GpuSerializer
    required_scopes: ClassVar[dict[str, Scopes]] = {
        **dict.fromkeys(("list", "retrieve", "reviews", "pricing"), PUBLIC), "register": PROVIDERS, "orders": READERS,
        "destroy": PROVIDERS, "review": PARTIES,
        **dict.fromkeys(("book_gpu", "purchase", "confirm", "release"), RENTERS),
    }  # fmt: skip

    @extend_schema(parameters=[schemas.GpuListQuerySerializer], responses=schemas.GpuSerializer(many=True))
    def list(self, request: Request) -> Response:
        """Listed GPUs as a bare list, cheapest first."""
        query = self.validated(schemas.GpuListQuerySerializer, request.query_params.dict())
        listed = write_each(payloads.gpu, selectors.listed(query))
        return self.answer(listed, serializer=schemas.GpuSerializer)

    @extend_schema(
        request=schemas.GpuRegisterSerializer,
        responses={200: schemas.GpuRegisteredSerializer, **MONEY},
        parameters=[IDEMPOTENCY_KEY],
    )
    def register(self, request: Request) -> HttpResponseBase:
        """List a GPU of the caller: its registered card of that name, if there is one, else an unverified listing."""
        data = self.validated(schemas.GpuRegisterSerializer)
        return self.idempotently(IdempotencyRecord, lambda: self._register(data))

    def _register(self, data: dict[str, Any]) -> Response:
        offer = listings.register(owner_id=self.actor.pk, actor=f"provider:{self.actor.pk}", **data)
        basis = "over your registered card" if offer.backed else "without a registered card: it is shown as unverified"
        answer = {
            "gpu_id": offer.pk, "status": "registered", "message": f"Listed {basis}.", "backed": offer.backed,
            "price_per_hour": payloads.in_ait(offer.price_gpu_hour),
        }  # fmt: skip
        return self.answer(answer, serializer=schemas.GpuRegisteredSerializer)

    @extend_schema(responses=schemas.GpuDetailSerializer)
    def retrieve(self, request: Request, gpu_id: str) -> Response:
        """One GPU; `current_booking` is the caller's own."""
        offer = bookable(gpu_id)
        mine = selectors.current(offer, self.actor.pk) if self.actor.is_authenticated else None
        answer = {**payloads.gpu(offer), "current_booking": payloads.under_way(mine)}
        return self.answer(answer, serializer=schemas.GpuDetailSerializer)

    @extend_schema(
        request=schemas.GpuBookSerializer,
        responses={201: schemas.GpuBookedSerializer, **REFUSALS},
        parameters=[IDEMPOTENCY_KEY],
    )
    def book_gpu(self, request: Request, gpu_id: str) -> HttpResponseBase:
        """Book it at once; the money is set aside next."""
        data = self.validated(schemas.GpuBookSerializer)
        return self.idempotently(IdempotencyRecord, lambda: self._book(gpu_id, data))

    def _book(self, gpu_id: str, data: dict[str, Any]) -> Response:
        answer = payloads.booked(self._booked(gpu_id, data), data.get("job_id"))
        return self.answer(answer, status=201, serializer=schemas.GpuBookedSerializer)

    def _booked(self, gpu_id: str, data: dict[str, Any]) -> GPUBooking:
        return self.book({"duration_s": max(1, int(data["duration_hours"] * 3600))}, bookable(gpu_id))

    @extend_schema(
        request=schemas.GpuPurchaseSerializer,
        responses={201: schemas.GpuPurchasedSerializer, **REFUSALS},
        parameters=[IDEMPOTENCY_KEY],
    )
    def purchase(self, request: Request) -> HttpResponseBase:
        """The same as book, with the GPU in the body; who calls is the buyer."""
        data = self.validated(schemas.GpuPurchaseSerializer)
        return self.idempotently(IdempotencyRecord, lambda: self._purchase(data))

    def _purchase(self, data: dict[str, Any]) -> Response:
        booking = self._booked(data["gpu_id"], data)
        answer = payloads.purchased(booking, method=data["payment_method"], job_id=data.get("job_id"))
        return self.answer(answer, status=201, serializer=schemas.GpuPurchasedSerializer)

    @extend_schema(request=None, responses=schemas.GpuConfirmedSerializer)
    def confirm(self, request: Request, gpu_id: str) -> Response:
        """Whether the caller's booking stands, its money set aside; 409 when it does not (yet)."""
        offer = bookable(gpu_id)
        booking = selectors.current(offer, self.actor.pk)
        if booking is None or booking.state == BookingState.REQUESTED:
            raise NotBooked(state="requested" if booking else "available", allowed=[])
        answer = {
            "status": "confirmed", "gpu_id": offer.pk, "booking_id": booking.pk, "client_id": self.actor.pk,
            "message": f"Booked until {booking.ends_at.isoformat()}.",
        }  # fmt: skip
        return self.answer(answer, serializer=schemas.GpuConfirmedSerializer)

    @extend_schema(request=None, responses=schemas.GpuReleasedSerializer)
    def release(self, request: Request, gpu_id: str) -> Response:
        """End the caller's booking: what was used is paid (not a flat half)."""
        offer = bookable(gpu_id)
        booking = listings.release(offer, renter_id=self.actor.pk, actor=self.renter())
        return self.answer(payloads.released(offer, booking), serializer=schemas.GpuReleasedSerializer)

    @extend_schema(request=None, parameters=[schemas.ForceSerializer], responses={200: schemas.GpuDeletedSerializer})
    def destroy(self, request: Request, gpu_id: str) -> Response:
        """Take one's listing away; while it is booked only by force: then its provider cancels the bookings."""
        force = self.validated(schemas.ForceSerializer, request.query_params.dict())["force"]
        offer = self._own(gpu_id)
        listings.remove(offer, actor=f"provider:{self.actor.pk}", force=force)
        return self.answer({"status": "deleted", "gpu_id": offer.pk}, serializer=schemas.GpuDeletedSerializer)

    def _own(self, gpu_id: str) -> MarketplaceOffer:
        offer = bookable(gpu_id)
        if offer.provider_id != self.actor.pk:
            raise NotTheProvider()
        return offer

    @extend_schema(responses=schemas.GpuReviewsSerializer)
    def reviews(self, request: Request, gpu_id: str) -> Response:
        """Reviews by renters after settled bookings of it."""
        offer = bookable(gpu_id)
        rows = list(selectors.reviews_of(offer).order_by("-created_at", "-pk")[:500])
        return self.answer(payloads.reviews(offer, rows), serializer=schemas.GpuReviewsSerializer)

    @extend_schema(request=schemas.GpuReviewWriteSerializer, responses={201: schemas.GpuReviewedSerializer, **GONE})
    def review(self, request: Request, gpu_id: str) -> Response:
        """Review one's last settled booking of it; 409 without one."""
        data = self.validated(schemas.GpuReviewWriteSerializer)
        offer = bookable(gpu_id)
        who = {"rater_id": self.actor.pk, "stars": data["rating"], "text": data["comment"]}
        written = listings.review(offer, **who)
        mean = payloads.reviews(offer, list(selectors.reviews_of(offer)))["average_rating"]
        answer = {"status": "review_added", "gpu_id": offer.pk, "review_id": written.pk, "average_rating": mean}
        return self.answer(answer, status=201, serializer=schemas.GpuReviewedSerializer)

    @extend_schema(parameters=[schemas.OrderQuerySerializer], responses=schemas.OrderSerializer(many=True))
    def orders(self, request: Request) -> Response:
        """The caller's bookings as a renter, newest first, as a bare list."""
        query = self.validated(schemas.OrderQuerySerializer, request.query_params.dict())
        rows = GPUBooking.objects.rented_by(self.actor.pk).order_by("-created_at", "-pk")
        if "status" in query:
            rows = rows.filter(state=query["status"])
        return self.answer(write_each(payloads.order, rows[: query["limit"]]), serializer=schemas.OrderSerializer)

    @extend_schema(responses=schemas.PricingSerializer)
    def pricing(self, request: Request, model: str) -> Response:
        """What a GPU model costs now, by asks and by trades; 404 names the nearest models."""
        if len(model) > 120 or not model.isprintable():
            raise OfferNotFound()
        return self.answer(payloads.pricing(selectors.pricing(model)), serializer=schemas.PricingSerializer)
