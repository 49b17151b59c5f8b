"""Routes of reviews: read by everybody, written by the parties of a settled booking."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.pagination import KeysetPagination
from aitbc.core.schema import GONE
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.marketplace.models import GPUBooking, GPUReview
from apps.marketplace.serializers.reviews import (
    BookingReviewsSerializer,
    ReplySerializer,
    ReviewEditSerializer,
    ReviewFilterSerializer,
    ReviewSerializer,
    ReviewWriteSerializer,
)
from apps.marketplace.services import reviews

PARTIES: Scopes = ("client", "trader", "miner")


class BookingReviewViewSet(DomainViewSet):
    """The reviews of a booking by its two parties."""

    required_scopes: ClassVar[dict[str, Scopes]] = {
        "list": (*PARTIES, "read"), "create": PARTIES, "partial_update": PARTIES,
    }  # fmt: skip
    queryset = GPUBooking.objects.all()
    serializer_class = ReviewSerializer
    pagination_class = None
    detail = True

    def get_queryset(self) -> QuerySet[GPUBooking]:
        return GPUBooking.objects.of_party(self.actor.pk)

    @extend_schema(operation_id="marketplace_bookings_review_list", responses=BookingReviewsSerializer)
    def list(self, request: Request, pk: Any = None) -> Response:
        """Both reviews of the booking, one's own also when it is hidden."""
        seen = Q(hidden_reason="") | Q(rater_id=self.actor.pk)
        rows = self.get_object().reviews.filter(seen).select_related("booking").order_by("created_at", "pk")
        return self.answer({"items": rows}, serializer=BookingReviewsSerializer)

    @extend_schema(request=ReviewWriteSerializer, responses={201: ReviewSerializer, **GONE})
    def create(self, request: Request, pk: Any = None) -> Response:
        """Review the other party, once, within 30 days after the booking's end."""
        data = self.validated(ReviewWriteSerializer)
        return self.answer(reviews.write(booking=self.get_object(), rater_id=self.actor.pk, **data), status=201)

    @extend_schema(request=ReviewEditSerializer, responses={200: ReviewSerializer, **GONE})
    def partial_update(self, request: Request, pk: Any = None) -> Response:
        """Change one's own review within 48 hours."""
        data = self.validated(ReviewEditSerializer)
        review = reviews.of_booking(self.get_object(), self.actor.pk)
        if review is None:
            raise Http404
        return self.answer(reviews.edit(review=review, **data))


class ReviewViewSet(mixins.ListModelMixin, DomainViewSet):
    """Reviews of everybody, as the public sees them."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"list": PUBLIC, "reply": PARTIES}
    queryset = GPUReview.objects.all()
    lookup_value_converter = "id"
    serializer_class = ReviewSerializer
    filter_serializer = ReviewFilterSerializer
    pagination_class = KeysetPagination
    ordering = ("-created_at", "-id")

    def get_queryset(self) -> QuerySet[GPUReview]:
        return GPUReview.objects.shown().select_related("booking")

    def narrow(self, queryset: QuerySet[GPUReview], filters: dict[str, Any]) -> QuerySet[GPUReview]:
        offer_id = filters.pop("offer_id", None)
        rows = queryset.filter(**filters)
        return rows if offer_id is None else rows.filter(booking__offer_id=offer_id)

    @extend_schema(request=ReplySerializer, responses=ReviewSerializer)
    @action(detail=True, methods=["post"])
    def reply(self, request: Request, pk: Any = None) -> Response:
        """Answer a review of oneself, once."""
        text = self.validated(ReplySerializer)["text"]
        return self.answer(reviews.reply(review=self.get_object(), author_id=self.actor.pk, text=text))
