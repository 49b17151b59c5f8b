"""What constraints may know: of the renter and its demand (an offer's), of the offer and its provider (a demand's)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import Avg, Count

from aitbc.accounts.models import Organisation
from aitbc.core.money import MS_PER_HOUR, UNIT
from apps.marketplace.constraints.evaluation import DEMAND_SIDE
from apps.marketplace.models import GPUBooking, GPUReview, MarketplaceDemand, MarketplaceOffer
from apps.marketplace.states import BookingState

Facts = dict[str, Any]


def renter(renter_id: UUID) -> Facts:
    """Who rents: its name, what providers think of it, how many bookings it has paid for."""
    stars = _stars([renter_id], GPUReview.Subject.RENTER).get(renter_id, {})
    paid = GPUBooking.objects.rented_by(renter_id).filter(state=BookingState.SETTLED).count()
    return {
        "id": str(renter_id), "organisation": _names([renter_id]).get(renter_id), "rating": stars.get("rating"),
        "bookings": paid,
    }  # fmt: skip


def demand(wanted: MarketplaceDemand) -> Facts:
    return {
        "gpu_count": wanted.gpu_count,
        "gpu_models": list(wanted.gpu_models),
        "min_memory_gb": wanted.min_memory_mb / 1024,
        "duration_s": wanted.duration_s,
        "duration_hours": wanted.duration_s * 1000 / MS_PER_HOUR,
        "budget_hour": wanted.budget_hour / UNIT,
        "region": wanted.region,
        "auction": wanted.auction,
    }


def offer(one: MarketplaceOffer) -> Facts:
    """An offer as a demand's constraint sees it: amounts in AIT, memory in GiB, what is not known left out."""
    special = {"id": str(one.pk), "gpu_ram": one.memory_mb / 1024, "price_gpu_hour": one.price_gpu_hour / UNIT}
    return {name: special.get(name, getattr(one, name, None)) for name in DEMAND_SIDE["offer"]}


def providers(ids: Collection[UUID]) -> dict[UUID, Facts]:
    """Who provides, all at once: names, ratings, bookings that ended in payment."""
    names, stars = _names(ids), _stars(ids, GPUReview.Subject.PROVIDER)
    settled = GPUBooking.objects.filter(provider_id__in=ids, state=BookingState.SETTLED).order_by()
    paid = dict(settled.values_list("provider_id").annotate(Count("pk")))
    return {
        pk: {
            "id": str(pk), "organisation": names.get(pk), "rating": stars.get(pk, {}).get("rating"),
            "reviews": stars.get(pk, {}).get("reviews", 0), "bookings": paid.get(pk, 0),
        }
        for pk in ids
    }  # fmt: skip


def _names(ids: Collection[UUID]) -> dict[UUID, str]:
    return dict(Organisation.objects.filter(pk__in=ids).values_list("pk", "name"))


def _stars(ids: Collection[UUID], subject: str) -> dict[UUID, Facts]:
    shown = GPUReview.objects.filter(subject_id__in=ids, subject=subject).shown().order_by()
    rows = shown.values("subject_id").annotate(stars=Avg("rating"), number=Count("pk"))
    return {row["subject_id"]: {"rating": float(row["stars"]), "reviews": row["number"]} for row in rows}
