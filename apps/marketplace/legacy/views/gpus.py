"""The predecessor's GPU marketplace (wire.md 1.2): its paths, words and envelopes, over real offers and bookings.

Mounted under the marketplace's prefix and, by aitbc/urls.py, under gpu's: one view, one database.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.schema import GONE, IDEMPOTENCY_KEY, MONEY
from aitbc.core.viewsets import PUBLIC, Scopes
from apps.marketplace.errors import NotBooked, NotTheProvider, OfferNotFound
from apps.marketplace.legacy import gpu_payloads as told
from apps.marketplace.legacy.serializers import gpus as wire
from apps.marketplace.models import GPUBooking, IdempotencyRecord, MarketplaceOffer
from apps.marketplace.selectors import listings as selectors
from apps.marketplace.selectors.offers import bookable
from apps.marketplace.services import listings
from apps.marketplace.states import BookingState
from apps.marketplace.views.bookings import PARTIES, PROVIDERS, READERS, REFUSALS, RENTERS, Booker


class LegacyGpuViewSet(Booker):
    """A listed GPU is an offer, an order is a booking; money and states are as everywhere."""

    label = ""
    pagination_class = None
    serializer_class = wire.GpuSerializer
    required_scopes: ClassVar[dict[str, Scopes]] = {
        **dict.fromkeys(("list", "retrieve", "reviews", "pricing"), PUBLIC), "register": PROVIDERS, "orders": READERS,
        "destroy": PROVIDERS, "review": PARTIES,
        **dict.fromkeys(("book_gpu", "purchase", "confirm", "release"), RENTERS),
    }  # fmt: skip

    @extend_schema(parameters=[wire.GpuListQuerySerializer], responses=wire.GpuSerializer(many=True))
    def list(self, request: Request) -> Response:
        """Listed GPUs as a bare list, cheapest first."""
        asked = self.validated(wire.GpuListQuerySerializer, request.query_params.dict())
        return self.answer([told.gpu(offer) for offer in selectors.listed(asked)], serializer=wire.GpuSerializer)

    @extend_schema(
        request=wire.GpuRegisterSerializer,
        responses={200: wire.GpuRegisteredSerializer, **MONEY},
        parameters=[IDEMPOTENCY_KEY],
    )
    def register(self, request: Request) -> HttpResponseBase:
        """List a GPU of the caller: its registered card of that name, if there is one, else an unverified listing."""
        given = self.validated(wire.GpuRegisterSerializer)
        return self.idempotently(IdempotencyRecord, lambda: self._register(given))

    def _register(self, given: dict[str, Any]) -> Response:
        offer = listings.register(owner_id=self.actor.pk, actor=f"provider:{self.actor.pk}", **given)
        said = "over your registered card" if offer.backed else "without a registered card: it is shown as unverified"
        answer = {
            "gpu_id": offer.pk, "status": "registered", "message": f"Listed {said}.", "backed": offer.backed,
            "price_per_hour": told.in_ait(offer.price_gpu_hour),
        }  # fmt: skip
        return self.answer(answer, serializer=wire.GpuRegisteredSerializer)

    @extend_schema(responses=wire.GpuDetailSerializer)
    def retrieve(self, request: Request, gpu_id: str) -> Response:
        """One GPU; `current_booking` is the caller's own."""
        offer = bookable(gpu_id)
        mine = selectors.current(offer, self.actor.pk) if self.actor.is_authenticated else None
        answer = {**told.gpu(offer), "current_booking": told.under_way(mine)}
        return self.answer(answer, serializer=wire.GpuDetailSerializer)

    @extend_schema(
        request=wire.GpuBookSerializer,
        responses={201: wire.GpuBookedSerializer, **REFUSALS},
        parameters=[IDEMPOTENCY_KEY],
    )
    def book_gpu(self, request: Request, gpu_id: str) -> HttpResponseBase:
        """Book it at once; the money is set aside next."""
        given = self.validated(wire.GpuBookSerializer)
        return self.idempotently(IdempotencyRecord, lambda: self._book(gpu_id, given))

    def _book(self, gpu_id: str, given: dict[str, Any]) -> Response:
        answer = told.booked(self._booked(gpu_id, given), given.get("job_id"))
        return self.answer(answer, status=201, serializer=wire.GpuBookedSerializer)

    def _booked(self, gpu_id: str, given: dict[str, Any]) -> GPUBooking:
        return self.book({"duration_s": max(1, int(given["duration_hours"] * 3600))}, bookable(gpu_id))

    @extend_schema(
        request=wire.GpuPurchaseSerializer,
        responses={201: wire.GpuPurchasedSerializer, **REFUSALS},
        parameters=[IDEMPOTENCY_KEY],
    )
    def purchase(self, request: Request) -> HttpResponseBase:
        """The same as book, with the GPU in the body; who calls is the buyer."""
        given = self.validated(wire.GpuPurchaseSerializer)
        return self.idempotently(IdempotencyRecord, lambda: self._purchase(given))

    def _purchase(self, given: dict[str, Any]) -> Response:
        booking = self._booked(given["gpu_id"], given)
        answer = told.purchased(booking, method=given["payment_method"], job_id=given.get("job_id"))
        return self.answer(answer, status=201, serializer=wire.GpuPurchasedSerializer)

    @extend_schema(request=None, responses=wire.GpuConfirmedSerializer)
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
        return self.answer(answer, serializer=wire.GpuConfirmedSerializer)

    @extend_schema(request=None, responses=wire.GpuReleasedSerializer)
    def release(self, request: Request, gpu_id: str) -> Response:
        """End the caller's booking: what was used is paid (not a flat half, as the predecessor had it)."""
        offer = bookable(gpu_id)
        booking = listings.release(offer, renter_id=self.actor.pk, actor=self.renter())
        return self.answer(told.released(offer, booking), serializer=wire.GpuReleasedSerializer)

    @extend_schema(request=None, parameters=[wire.ForceSerializer], responses={200: wire.GpuDeletedSerializer})
    def destroy(self, request: Request, gpu_id: str) -> Response:
        """Take one's listing away; while it is booked only by force: then its provider cancels the bookings."""
        force = self.validated(wire.ForceSerializer, request.query_params.dict())["force"]
        offer = self._own(gpu_id)
        listings.remove(offer, actor=f"provider:{self.actor.pk}", force=force)
        return self.answer({"status": "deleted", "gpu_id": offer.pk}, serializer=wire.GpuDeletedSerializer)

    def _own(self, gpu_id: str) -> MarketplaceOffer:
        offer = bookable(gpu_id)
        if offer.provider_id != self.actor.pk:
            raise NotTheProvider()
        return offer

    @extend_schema(responses=wire.GpuReviewsSerializer)
    def reviews(self, request: Request, gpu_id: str) -> Response:
        """What renters said after settled bookings of it."""
        offer = bookable(gpu_id)
        rows = list(selectors.reviews_of(offer).order_by("-created_at")[:500])
        return self.answer(told.reviews(offer, rows), serializer=wire.GpuReviewsSerializer)

    @extend_schema(request=wire.GpuReviewWriteSerializer, responses={201: wire.GpuReviewedSerializer, **GONE})
    def review(self, request: Request, gpu_id: str) -> Response:
        """Review one's last settled booking of it; 409 without one."""
        given = self.validated(wire.GpuReviewWriteSerializer)
        offer = bookable(gpu_id)
        who = {"rater_id": self.actor.pk, "stars": given["rating"], "text": given["comment"]}
        written = listings.review(offer, **who)
        mean = told.reviews(offer, list(selectors.reviews_of(offer)))["average_rating"]
        answer = {"status": "review_added", "gpu_id": offer.pk, "review_id": written.pk, "average_rating": mean}
        return self.answer(answer, status=201, serializer=wire.GpuReviewedSerializer)

    @extend_schema(parameters=[wire.OrderQuerySerializer], responses=wire.OrderSerializer(many=True))
    def orders(self, request: Request) -> Response:
        """The caller's bookings as a renter, newest first, as a bare list."""
        asked = self.validated(wire.OrderQuerySerializer, request.query_params.dict())
        rows = GPUBooking.objects.rented_by(self.actor.pk).order_by("-created_at")
        if "status" in asked:
            rows = rows.filter(state=asked["status"])
        return self.answer([told.order(row) for row in rows[: asked["limit"]]], serializer=wire.OrderSerializer)

    @extend_schema(responses=wire.PricingSerializer)
    def pricing(self, request: Request, model: str) -> Response:
        """What a GPU model costs now, asked and paid; 404 names the nearest models."""
        if len(model) > 120 or not model.isprintable():
            raise OfferNotFound()
        return self.answer(told.pricing(selectors.pricing(model)), serializer=wire.PricingSerializer)
