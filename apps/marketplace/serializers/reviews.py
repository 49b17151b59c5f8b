"""Reviews and replies: their input, filters and answers."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from aitbc.core.serializers import ResourceSerializer, StrictSerializer
from apps.marketplace.models import GPUReview


def stars(*, required: bool, help_text: str | None = None) -> serializers.IntegerField:
    """A field of 1 to 5 stars."""
    return serializers.IntegerField(min_value=1, max_value=5, required=required, help_text=help_text)


class DimensionsSerializer(StrictSerializer):
    """1 to 5 for each that one has an opinion of."""

    accuracy = stars(required=False, help_text="Was it what the offer said?")
    uptime = stars(required=False)
    speed = stars(required=False)
    comms = stars(required=False)


@extend_schema_serializer(
    examples=[
        OpenApiExample("a review", {"rating": 5, "text": "As promised.", "dimensions": {"speed": 5}}, request_only=True)
    ]
)
class ReviewWriteSerializer(StrictSerializer):
    """One party's word on the other."""

    rating = stars(required=True)
    text = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    dimensions = DimensionsSerializer(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "rating" in attrs:
            attrs["stars"] = attrs.pop("rating")
        return attrs


class ReviewEditSerializer(ReviewWriteSerializer):
    """What is to be changed of it."""

    rating = stars(required=False)


class ReplySerializer(StrictSerializer):
    """The answer of who was reviewed."""

    text = serializers.CharField(max_length=2000)


class ReviewSerializer(ResourceSerializer):
    """A review; `reciprocal` ones are between parties that rent from each other and move no rating.

    The booking and the renter are shown to its two parties only.
    """

    review_id = serializers.UUIDField(source="id", read_only=True)
    booking_id = serializers.UUIDField(read_only=True, allow_null=True)
    subject_id = serializers.UUIDField(read_only=True, allow_null=True)
    rater_id = serializers.UUIDField(read_only=True, allow_null=True)
    dimensions = DimensionsSerializer(read_only=True)
    offer_id = serializers.UUIDField(source="booking.offer_id", read_only=True)
    hidden = serializers.SerializerMethodField()

    class Meta:
        model = GPUReview
        fields: ClassVar = [
            "id", "review_id", "booking_id", "offer_id", "subject", "subject_id", "rater_id", "rating", "dimensions",
            "text", "reply", "replied_at", "reciprocal", "hidden", "created_at", "edited_at",
        ]  # fmt: skip

    def to_representation(self, review: GPUReview) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(review)
        if self.context["request"].user.pk not in (review.rater_id, review.subject_id):
            renter = "rater_id" if review.subject == GPUReview.Subject.PROVIDER else "subject_id"
            shown |= {"booking_id": None, renter: None}
        return shown

    def get_hidden(self, review: GPUReview) -> bool:
        return bool(review.hidden_reason)


@extend_schema_serializer(many=False)  # the action is called list; what it answers is one object
class BookingReviewsSerializer(serializers.Serializer[Any]):
    """Both words on one booking, as far as they are written and shown."""

    items = ReviewSerializer(many=True)


class ReviewFilterSerializer(StrictSerializer):
    """Whose reviews: of a provider or renter, or of one offer."""

    subject_id = serializers.UUIDField(required=False)
    subject = serializers.ChoiceField(choices=GPUReview.Subject.choices, required=False)
    offer_id = serializers.UUIDField(required=False)
    rating = stars(required=False)
