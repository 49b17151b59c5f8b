"""What parties say of each other (the bookings part replaces this at merge)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Avg

from apps.marketplace.models import GPUReview

FORMULA = "mean"


@dataclass(frozen=True)
class Standing:
    rating: float | None
    count: int
    market_mean: float


def standing_of(subject_id: UUID) -> Standing:
    mine = GPUReview.objects.of_subject(subject_id).shown()
    mean = GPUReview.objects.shown().aggregate(m=Avg("rating"))["m"] or 3.0
    return Standing(mine.aggregate(m=Avg("rating"))["m"], mine.count(), mean)
