"""Offers: made, edited and withdrawn (the offers part brings the whole of it under these names)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from aitbc.core.db import atomic
from aitbc.core.states import begin
from apps.marketplace.models import MarketplaceOffer
from apps.marketplace.states import OfferState


def create(
    *, provider_id: UUID, actor: str, gpu_ids: list[UUID] | None = None, specs: Mapping[str, Any] | None = None,
    price_gpu_hour: int, provider_name: str = "", **terms: Any,
) -> MarketplaceOffer:  # fmt: skip
    """Offer registered cards (`gpu_ids`), or one that is only described (`specs`)."""
    offer = MarketplaceOffer(
        provider_id=provider_id, provider_name=provider_name, price_gpu_hour=price_gpu_hour, base_price=price_gpu_hour,
        backed=gpu_ids is not None, rentable=True, state=OfferState.OPEN, **terms,
    )  # fmt: skip
    for name, value in dict(specs or {}).items():
        setattr(offer, name, value)
    offer.slots = gpu_ids or [uuid5(offer.pk, "0")]
    offer.gpu_count = len(offer.slots)
    with atomic(MarketplaceOffer):
        begin(offer, actor=actor)
    return offer


def withdraw(*, offer: MarketplaceOffer, actor: str, reason: str = "") -> MarketplaceOffer:
    """End the offer for good; bookings made of it go on."""
    offer.advance(OfferState.WITHDRAWN, actor=actor, reason=reason or "withdrawn")
    return offer
