"""Routes of quotes, bookings and reviews."""

from __future__ import annotations

from django.urls import path

from apps.marketplace.views.bookings import BookingViewSet, OfferBookViewSet, QuoteViewSet
from apps.marketplace.views.reviews import BookingReviewViewSet, ReviewViewSet

booking = BookingViewSet.as_view
VERBS = {
    "cancel": "post", "extend": "post", "end": "post", "ready": "post", "reclaim": "post", "events": "get",
    "extensions": "get",
}  # fmt: skip

urlpatterns = [
    path("v1/marketplace/quotes", QuoteViewSet.as_view({"post": "create"}), name="quote-list"),
    path("v1/marketplace/quotes/<uuid:pk>", QuoteViewSet.as_view({"get": "retrieve"}), name="quote-detail"),
    path("v1/marketplace/offers/<str:pk>/book", OfferBookViewSet.as_view({"post": "create"}), name="offer-book"),
    path("v1/marketplace/bookings", booking({"get": "list", "post": "create"}), name="booking-list"),
    path("v1/marketplace/bookings/<uuid:pk>", booking({"get": "retrieve"}, detail=True), name="booking-detail"),
    *[
        path(
            f"v1/marketplace/bookings/<uuid:pk>/{verb}",
            booking({method: verb}, detail=True, pagination_class=None),
            name=f"booking-{verb}",
        )
        for verb, method in VERBS.items()
    ],
    path(
        "v1/marketplace/bookings/<uuid:pk>/review",
        BookingReviewViewSet.as_view({"get": "list", "post": "create", "patch": "partial_update"}),
        name="booking-review",
    ),
    path("v1/marketplace/reviews", ReviewViewSet.as_view({"get": "list"}), name="review-list"),
    path("v1/marketplace/reviews/<uuid:pk>/reply", ReviewViewSet.as_view({"post": "reply"}), name="review-reply"),
]
