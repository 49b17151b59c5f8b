"""Reviews of settled bookings by their parties."""

from __future__ import annotations

from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from aitbc.core.fields import JSONField
from aitbc.core.ids import uuid7
from apps.marketplace.models.bookings import GPUBooking


class ReviewQuerySet(models.QuerySet["GPUReview"]):
    def of_subject(self, subject_id: UUID) -> ReviewQuerySet:
        return self.filter(subject_id=subject_id)

    def shown(self) -> ReviewQuerySet:
        return self.filter(hidden_reason="")


class GPUReview(models.Model):
    """One party's word on the other, about one settled booking."""

    class Subject(models.TextChoices):
        PROVIDER = "provider"
        RENTER = "renter"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    booking = models.ForeignKey(GPUBooking, on_delete=models.PROTECT, related_name="reviews")
    rater_id = models.UUIDField()
    subject_id = models.UUIDField(help_text="Who is reviewed.")
    subject = models.CharField(max_length=8, choices=Subject)
    rating = models.PositiveSmallIntegerField()
    dimensions = JSONField(default=dict, help_text="accuracy, uptime, speed, comms: 1 to 5 each.")
    text = models.CharField(max_length=2000, blank=True)
    reply = models.CharField(max_length=2000, blank=True)
    replied_at = models.DateTimeField(null=True)
    hidden_reason = models.CharField(max_length=300, blank=True)
    reciprocal = models.BooleanField(default=False, help_text="The two rent from each other: shown, not counted.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    edited_at = models.DateTimeField(null=True)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = "review"
        constraints = [
            models.UniqueConstraint(name="marketplace_review_once", fields=["booking", "rater_id"]),
            models.CheckConstraint(name="marketplace_review_rating", condition=Q(rating__gte=1, rating__lte=5)),
        ]
        indexes = [models.Index(name="marketplace_review_subject", fields=["subject_id", "-created_at"])]

    def __str__(self) -> str:
        return f"{self.rating} of 5 for {self.subject_id}"
