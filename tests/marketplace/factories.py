"""Offers and bookings as they stand in the tables, for tests that read them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from aitbc.core.db import atomic, cursor
from aitbc.core.states import begin
from apps.marketplace.models import BookingSlice, GPUBooking, MarketplaceOffer
from apps.marketplace.states import BookingState, OfferState
from tests.marketplace.gpus import register_gpus

AIT = 1_000_000


def an_offer(*, price: int = AIT, gpus: int = 1, since: datetime | None = None, **fields: Any) -> MarketplaceOffer:
    """An open offer over registered cards of its own."""
    defaults = {
        "provider_id": uuid4(), "slots": [uuid4() for _ in range(gpus)], "backed": True, "gpu_count": gpus,
        "price_gpu_hour": price, "base_price": price, "state": OfferState.OPEN, "gpu_model": "GeForce RTX 4090",
        "gpu_name": "GeForce RTX 4090", "memory_mb": 24_576, "region": "de", "rentable": True, "miner_id": uuid4(),
    }  # fmt: skip
    offer = MarketplaceOffer(**defaults | fields)
    register_gpus(offer)
    with atomic(MarketplaceOffer):
        begin(offer, actor="test")
        if since is not None:
            _backdate(offer.pk, since)
    return offer


def a_booking(
    offer: MarketplaceOffer, *, since: datetime, until: datetime, state: str = BookingState.SETTLED, **fields: Any
) -> GPUBooking:
    """A booking that was active over a span of time, and its slices."""
    metered = int((until - since).total_seconds() * 1000)
    defaults = {
        "offer": offer, "renter_id": uuid4(), "provider_id": offer.provider_id, "miner_id": offer.miner_id,
        "state": state, "gpu_count": offer.gpu_count, "gpu_model": offer.gpu_model, "region": offer.region,
        "kind": offer.kind, "rate": offer.price_gpu_hour * offer.gpu_count, "price_gpu_hour": offer.price_gpu_hour,
        "fee_bp": 300, "min_charge_s": 60, "starts_at": since, "ends_at": until, "activated_at": since,
        "ended_at": until, "metered_ms": metered, "escrow": 10**12, "outcome": BookingState.ENDED,
        "owed": offer.price_gpu_hour * offer.gpu_count * metered // 3_600_000,
    }  # fmt: skip
    booking = GPUBooking(**defaults | fields)
    with atomic(GPUBooking):
        begin(booking, actor="test")
        BookingSlice.objects.bulk_create(
            BookingSlice(booking=booking, slot=slot, period=(since, until), live=False) for slot in offer.slots
        )
    return booking


def hours(n: float) -> timedelta:
    return timedelta(hours=n)


def _backdate(offer_id: UUID, since: datetime) -> None:
    """Give an offer's history another beginning: it is append-only, so the guard is set aside for this."""
    with cursor(MarketplaceOffer) as sql:
        sql.execute("ALTER TABLE marketplace_offertransition DISABLE TRIGGER marketplace_offertransition_no_change")
        sql.execute("UPDATE marketplace_offertransition SET at = %s WHERE subject_id = %s", [since, offer_id])
        sql.execute("ALTER TABLE marketplace_offertransition ENABLE TRIGGER marketplace_offertransition_no_change")
