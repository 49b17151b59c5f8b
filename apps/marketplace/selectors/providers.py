"""Profile and reputation of a provider, with the formula and its inputs."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from django.db.models import Avg, Count, F, Min, Q, Sum

from apps.marketplace.errors import ProviderUnknown
from apps.marketplace.logic.rating import FORMULA as RATING_FORMULA
from apps.marketplace.logic.reliability_score import FORMULA, PRIOR_BROKEN, PRIOR_KEPT
from apps.marketplace.models import GPUBooking, MarketplaceOffer
from apps.marketplace.selectors import reliability, reviews
from apps.marketplace.states import BookingState

SHARE_R, SHARE_RATING = 0.7, 0.3
REPUTATION = "reputation = 100 × (0.7 × R + 0.3 × (rating − 1) / 4); without a review the rating is the market's mean"


class BookingRecord(TypedDict):
    """How a provider's bookings ended; times in hours and seconds."""

    bookings_done: int
    bookings_broken: int
    bookings_cancelled_by_renters: int
    gpu_hours: float
    mean_provisioning_s: float | None


class Profile(BookingRecord):
    """What is known of a provider."""

    provider_id: UUID
    since: datetime
    open_offers: int
    open_gpus: int
    gpu_models: list[str]
    regions: list[str]
    rating: float | None
    reviews: int
    reliability: float


class Prior(TypedDict):
    kept: float
    broken: float


class ReputationInputs(TypedDict):
    reliability: float
    kept: float
    broken: float
    prior: Prior
    rating: float
    reviews: int


class Reputation(TypedDict):
    """A number between 0 and 100, and everything needed to compute it again."""

    provider_id: UUID
    reputation: float
    formula: dict[str, str]
    inputs: ReputationInputs
    computed_at: datetime


def profile(provider_id: UUID, *, now: datetime) -> Profile:
    """Return since when a provider offers, what, how its bookings ended, what renters say. Raises ProviderUnknown."""
    offers = MarketplaceOffer.objects.owned_by(provider_id)
    first = offers.aggregate(since=Min("created_at"))
    if first["since"] is None:
        raise ProviderUnknown()
    open_now = offers.listed().aggregate(offers=Count("pk"), gpus=Sum("gpu_count", default=0))
    models = offers.listed().values_list("gpu_model", flat=True).distinct().order_by("gpu_model")
    regions = offers.listed().values_list("region", flat=True).distinct().order_by("region")
    standing = reviews.standing_of(provider_id)
    return {
        "provider_id": provider_id,
        "since": first["since"],
        "open_offers": open_now["offers"],
        "open_gpus": open_now["gpus"],
        "gpu_models": [model for model in models if model],
        "regions": [region for region in regions if region],
        "rating": standing.rating,
        "reviews": standing.count,
        "reliability": round(reliability.of_provider(provider_id, now=now).r, 4),
        **booking_record(provider_id),
    }


def booking_record(provider_id: UUID) -> BookingRecord:
    """Return how a provider's bookings ended."""
    broken = [BookingState.NO_SHOW, BookingState.CANCELLED_PROVIDER, BookingState.FAILED_HARDWARE]
    found = GPUBooking.objects.provided_by(provider_id).aggregate(
        done=Count("pk", filter=Q(outcome=BookingState.ENDED)),
        let_down=Count("pk", filter=Q(outcome__in=broken)),
        cancelled_by_renter=Count("pk", filter=Q(outcome=BookingState.CANCELLED_RENTER)),
        gpu_ms=Sum(F("gpu_count") * F("metered_ms"), default=0),
        wait=Avg(F("activated_at") - F("starts_at"), filter=Q(activated_at__isnull=False)),
    )
    wait = found["wait"]
    return {
        "bookings_done": found["done"],
        "bookings_broken": found["let_down"],
        "bookings_cancelled_by_renters": found["cancelled_by_renter"],
        "gpu_hours": round(found["gpu_ms"] / 3_600_000, 3),
        "mean_provisioning_s": None if wait is None else round(wait.total_seconds(), 1),
    }


def reputation(provider_id: UUID, *, now: datetime) -> Reputation:
    """Return a number between 0 and 100, with everything needed to compute it again. Raises ProviderUnknown."""
    if not MarketplaceOffer.objects.owned_by(provider_id).exists():
        raise ProviderUnknown()
    evidence, standing = reliability.of_provider(provider_id, now=now), reviews.standing_of(provider_id)
    rating = standing.rating if standing.rating is not None else standing.market_mean
    score = 100 * (SHARE_R * evidence.r + SHARE_RATING * (rating - 1) / 4)
    return {
        "provider_id": provider_id,
        "reputation": round(score, 2),
        "formula": {"reputation": REPUTATION, "reliability": FORMULA, "rating": RATING_FORMULA},
        "inputs": {
            "reliability": round(evidence.r, 6),
            "kept": round(evidence.kept, 6),
            "broken": round(evidence.broken, 6),
            "prior": {"kept": PRIOR_KEPT, "broken": PRIOR_BROKEN},
            "rating": round(rating, 6),
            "reviews": standing.count,
        },
        "computed_at": now,
    }
