"""What constraints may name: the renter and its demand (in an offer's), the offer and its provider (in a demand's).

There is one set of facts for both ways to a booking: a direct one and an award. A fact that is not known is None, and
absent to a constraint.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypedDict
from uuid import UUID

from django.db.models import Avg, Count

from aitbc.accounts.models import Organisation
from aitbc.core.money import MS_PER_HOUR, UNIT
from apps.marketplace.constraints.evaluation import DEMAND_SIDE
from apps.marketplace.models import GPUBooking, GPUReview, MarketplaceDemand, MarketplaceOffer
from apps.marketplace.states import BookingState


class RenterFacts(TypedDict):
    """Who rents: its name, the mean of the stars providers gave it (1 to 5), how many bookings it has settled."""

    id: str
    organisation: str | None
    rating: float | None
    bookings: int


class ProviderFacts(RenterFacts):
    """Who provides: the same, from renters, and how many reviews there are."""

    reviews: int


class DemandFacts(TypedDict):
    """What is requested: memory in GiB, the budget in AIT per hour for all GPUs."""

    gpu_count: int
    gpu_models: list[str] | None
    min_memory_gb: float | None
    duration_s: int
    duration_hours: float
    budget_hour: float
    region: str
    auction: str | None


class ReviewSummary(TypedDict):
    rating: float
    reviews: int


def renter_facts(renter_id: UUID) -> RenterFacts:
    """Return what an offer's constraint may know of who rents."""
    summary = _review_summaries([renter_id], GPUReview.Subject.RENTER).get(renter_id)
    settled = GPUBooking.objects.rented_by(renter_id).filter(state=BookingState.SETTLED).count()
    return {
        "id": str(renter_id), "organisation": _organisations([renter_id]).get(renter_id),
        "rating": summary["rating"] if summary else None, "bookings": settled,
    }  # fmt: skip


def demand_facts(demand: MarketplaceDemand) -> DemandFacts:
    """Return what an offer's constraint may know of a demand."""
    return {
        "gpu_count": demand.gpu_count,
        "gpu_models": list(demand.gpu_models),
        "min_memory_gb": demand.min_memory_mb / 1024,
        "duration_s": demand.duration_s,
        "duration_hours": _hours(demand.duration_s),
        "budget_hour": demand.budget_hour / UNIT,
        "region": demand.region,
        "auction": demand.auction,
    }


def direct_demand_facts(*, gpu_count: int, duration_s: int, rate: int, region: str) -> DemandFacts:
    """Return what an offer's constraint may know of a booking without a demand; `rate` is micro-AIT per hour.

    Nobody wrote down models, memory or an auction, so these are not known.
    """
    return {
        "gpu_count": gpu_count, "gpu_models": None, "min_memory_gb": None, "duration_s": duration_s,
        "duration_hours": _hours(duration_s), "budget_hour": rate / UNIT, "region": region, "auction": None,
    }  # fmt: skip


def offer_facts(offer: MarketplaceOffer) -> dict[str, Any]:
    """Return what a demand's constraint may know of an offer: amounts in AIT, memory in GiB."""
    converted = {
        "id": str(offer.pk), "gpu_ram": offer.memory_mb / 1024, "price_gpu_hour": offer.price_gpu_hour / UNIT,
    }  # fmt: skip
    return {name: converted.get(name, getattr(offer, name, None)) for name in DEMAND_SIDE["offer"]}


def provider_facts(provider_ids: Collection[UUID]) -> dict[UUID, ProviderFacts]:
    """Return what a demand's constraint may know of each of these providers, in three queries for all of them."""
    names, summaries = _organisations(provider_ids), _review_summaries(provider_ids, GPUReview.Subject.PROVIDER)
    settled = GPUBooking.objects.filter(provider_id__in=provider_ids, state=BookingState.SETTLED).order_by()
    bookings = dict(settled.values_list("provider_id").annotate(Count("pk")))
    found: dict[UUID, ProviderFacts] = {}
    for pk in provider_ids:
        summary = summaries.get(pk)
        found[pk] = {
            "id": str(pk), "organisation": names.get(pk), "rating": summary["rating"] if summary else None,
            "reviews": summary["reviews"] if summary else 0, "bookings": bookings.get(pk, 0),
        }  # fmt: skip
    return found


def _hours(seconds: int) -> float:
    return seconds * 1000 / MS_PER_HOUR


def _organisations(ids: Collection[UUID]) -> dict[UUID, str]:
    return dict(Organisation.objects.filter(pk__in=ids).values_list("pk", "name"))


def _review_summaries(ids: Collection[UUID], subject: str) -> dict[UUID, ReviewSummary]:
    rows = GPUReview.objects.filter(subject_id__in=ids, subject=subject).shown().order_by().values("subject_id")
    return {
        row["subject_id"]: {"rating": float(row["mean"]), "reviews": row["number"]}
        for row in rows.annotate(mean=Avg("rating"), number=Count("pk"))
    }
