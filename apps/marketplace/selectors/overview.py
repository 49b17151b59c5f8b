"""The market at a glance: counts and averages of what is listed now."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict, cast

from django.db.models import Avg, Count, Q, Sum
from django.utils import timezone

from aitbc.core.money import UNIT
from apps.marketplace.models import MarketplaceDemand, MarketplaceOffer
from apps.marketplace.states import OfferState


class ListedCounts(TypedDict):
    total: int
    active: int
    capacity: int
    price: float | None


class Overview(TypedDict):
    status: str
    total_offers: int
    active_offers: int
    average_price_per_hour: float | None
    regions: list[str]
    service_types: list[str]
    timestamp: datetime


class MarketStats(TypedDict):
    totalOffers: int
    openCapacity: int
    averagePrice: float
    activeBids: int


ACTIVE = Q(state=OfferState.OPEN, rentable=True)


def listed_counts() -> ListedCounts:
    """Count listed and active offers and their free GPUs, and average their price (micro-AIT per GPU and hour)."""
    found = MarketplaceOffer.objects.listed().aggregate(
        total=Count("pk"),
        active=Count("pk", filter=ACTIVE),
        capacity=Sum("gpu_count", filter=ACTIVE, default=0),
        price=Avg("price_gpu_hour", filter=ACTIVE),
    )
    return cast(ListedCounts, found)


def overview() -> Overview:
    """Return counts, regions and kinds of what is listed now."""
    now = listed_counts()
    listed = MarketplaceOffer.objects.listed()
    return {
        "status": "operational",
        "total_offers": now["total"],
        "active_offers": now["active"],
        "average_price_per_hour": None if now["price"] is None else round(float(now["price"]) / UNIT, 6),
        "regions": list(listed.exclude(region="").values_list("region", flat=True).distinct().order_by("region")),
        "service_types": list(listed.values_list("kind", flat=True).distinct().order_by("kind")),
        "timestamp": timezone.now(),
    }


def stats() -> MarketStats:
    """Return four numbers for a front page, under their legacy names."""
    now = listed_counts()
    return {
        "totalOffers": now["total"],
        "openCapacity": now["capacity"],
        "averagePrice": round(float(now["price"] or 0) / UNIT, 4),
        "activeBids": MarketplaceDemand.objects.open().count(),
    }


def status() -> dict[str, str]:
    """Return whether the market is open, in the words of legacy clients."""
    active = listed_counts()["active"]
    return {
        "status": "operational",
        "service": "marketplace-service",
        "message": f"{active} offer{'' if active == 1 else 's'} can be booked now.",
    }
