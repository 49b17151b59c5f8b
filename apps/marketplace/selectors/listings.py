"""GPU listings of legacy clients, read: a listed GPU is an offer, an order is a booking."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypedDict
from uuid import UUID

from django.db.models import Avg, Max, Min, Q, QuerySet, Sum

from apps.marketplace.errors import ModelNotOffered
from apps.marketplace.models import GPUBooking, GPUReview, MarketplaceOffer, PriceTick
from apps.marketplace.states import LIVE, OfferState

TRADES = 50


def listed(query: Mapping[str, Any]) -> list[MarketplaceOffer]:
    """Return listed offers, narrowed by a legacy query, cheapest first."""
    rows = MarketplaceOffer.objects.listed()
    if "available" in query:
        rows = rows.filter(state=OfferState.OPEN if query["available"] else OfferState.BOOKED_OUT)
    columns = {
        "price_max": "price_gpu_hour__lte", "region": "region__iexact", "model": "gpu_model__icontains",
        "memory_min": "memory_mb__gte",
    }  # fmt: skip
    narrowed = Q(**{column: query[name] for name, column in columns.items() if name in query})
    return list(rows.filter(narrowed).order_by("price_gpu_hour", "id")[: query["limit"]])


def current(offer: MarketplaceOffer, renter_id: UUID) -> GPUBooking | None:
    """Return the renter's newest booking of this offer that is under way, or None."""
    return offer.bookings.filter(renter_id=renter_id, state__in=LIVE).order_by("-created_at", "-pk").first()


def reviews_of(offer: MarketplaceOffer) -> QuerySet[GPUReview]:
    """Return the shown reviews of an offer by its renters."""
    return GPUReview.objects.shown().filter(booking__offer=offer, subject=GPUReview.Subject.PROVIDER)


class ModelPricing(TypedDict):
    """Aggregates over a model's listed offers (micro-AIT per GPU and hour), its cheapest offers, its last trades."""

    model: str
    asks: dict[str, Any]
    offers: list[MarketplaceOffer]
    trades: list[PriceTick]


def pricing(model: str) -> ModelPricing:
    """Return what a GPU model costs, by listed offers and by what was paid. Raises ModelNotOffered with the nearest."""
    rows = MarketplaceOffer.objects.listed().filter(gpu_model__icontains=model)
    asks = rows.aggregate(
        low=Min("price_gpu_hour"), high=Max("price_gpu_hour"), mean=Avg("price_gpu_hour"), total=Sum("gpu_count"),
        free=Sum("gpu_count", filter=Q(state=OfferState.OPEN)),
    )  # fmt: skip
    if not asks["total"]:
        raise ModelNotOffered(f"Nobody offers {model!r} now.", suggestions=nearest(model))
    trades = PriceTick.objects.filter(source=PriceTick.Source.TRADE, gpu_model__icontains=model).order_by("-at", "-pk")
    cheapest = list(rows.order_by("price_gpu_hour", "id")[:TRADES])
    return {"model": model, "asks": asks, "offers": cheapest, "trades": list(trades[:TRADES])}


def nearest(model: str) -> list[str]:
    """Return the offered models whose names are nearest to this one."""
    known = MarketplaceOffer.objects.listed().values_list("gpu_model", flat=True).distinct().order_by("gpu_model")
    names = {name.casefold(): name for name in known if name}
    return [names[found] for found in difflib.get_close_matches(model.casefold(), names, n=5, cutoff=0.3)]
