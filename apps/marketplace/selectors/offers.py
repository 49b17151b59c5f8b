"""Reads of offers that several routes share."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apps.marketplace.errors import OfferNotFound
from apps.marketplace.models import MarketplaceOffer
from apps.marketplace.models.offers import LISTED


def bookable(pk: Any) -> MarketplaceOffer:
    """The listed offer by its id, or by the id its provider gave it when that is unique; else 404."""
    rows = MarketplaceOffer.objects.filter(state__in=LISTED)
    try:
        found = list(rows.filter(pk=UUID(str(pk))))
    except ValueError:
        found = list(rows.filter(external_id=pk).exclude(external_id="")[:2])
    if len(found) != 1:
        raise OfferNotFound()
    return found[0]
