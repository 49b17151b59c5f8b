"""Reads of offers that several routes share."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from django.db.models import Count, Max, Q, Sum

from apps.marketplace.errors import OfferNotFound
from apps.marketplace.models import GPUBooking, MarketplaceOffer, OfferRevision
from apps.marketplace.models.offers import LISTED
from apps.marketplace.states import BookingState


def bookable(pk: Any) -> MarketplaceOffer:
    """Return the listed offer of this id, or of its provider's own id when that is unique. Raises OfferNotFound."""
    rows = MarketplaceOffer.objects.filter(state__in=LISTED)
    try:
        found = list(rows.filter(pk=UUID(str(pk))))
    except ValueError:
        found = list(rows.filter(external_id=pk).exclude(external_id="")[:2])
    if len(found) != 1:
        raise OfferNotFound()
    return found[0]


class OfferHistory(TypedDict):
    """Revisions oldest first, bookings that were paid for, and what the provider earned in micro-AIT."""

    offer: MarketplaceOffer
    revisions: list[OfferRevision]
    booking_count: int
    total_revenue: int
    last_booked: datetime | None


def history(offer: MarketplaceOffer) -> OfferHistory:
    """Return every revision of an offer, how many bookings were paid for, and what the provider earned (micro-AIT)."""
    made = Q(state=BookingState.REQUESTED) | Q(state=BookingState.INSUFFICIENT_FUNDS)
    totals = (
        GPUBooking.objects.filter(offer=offer).exclude(made).aggregate(
            booking_count=Count("pk"), total_revenue=Sum("paid", default=0), last_booked=Max("created_at")
        )
    )  # fmt: skip
    return {
        "offer": offer, "revisions": list(offer.revisions.order_by("revision", "pk")),
        "booking_count": totals["booking_count"], "total_revenue": totals["total_revenue"],
        "last_booked": totals["last_booked"],
    }  # fmt: skip
