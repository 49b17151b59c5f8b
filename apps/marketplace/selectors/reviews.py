"""Ratings, computed from the reviews that are shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Avg

from apps.marketplace.logic import rating
from apps.marketplace.models import GPUReview
from apps.marketplace.selectors import clock

#: What a market without a review takes for the mean of all.
MIDDLE = 3.0


@dataclass(frozen=True)
class Standing:
    """What renters say of a provider: the rating shown (None without a review), how many, the market's mean."""

    rating: float | None
    count: int
    market_mean: float


def standing_of(
    subject_id: UUID, *, subject: str = GPUReview.Subject.PROVIDER, now: datetime | None = None
) -> Standing:
    """Return the rating of a provider (or renter), computed from the reviews that are shown."""
    now = now or clock.now()
    rows = GPUReview.objects.shown().filter(subject=subject)
    mean = float(rows.aggregate(mean=Avg("rating"))["mean"] or MIDDLE)
    rows_of_subject = rows.of_subject(subject_id).values_list(
        "rater_id", "rating", "created_at", "booking__owed", "reciprocal"
    )
    day = timedelta(days=1)
    votes = [
        rating.Vote(rater, stars, (now - at) / day, owed, mutual) for rater, stars, at, owed, mutual in rows_of_subject
    ]
    return Standing(round(rating.shown(votes, mean), 4) if votes else None, len(votes), mean)
