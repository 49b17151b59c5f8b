"""Offers, parties with money, and bookings at every stage of their life, for tests of the market's money."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from aitbc.core import invariants
from aitbc.core.db import atomic
from aitbc.core.messaging.relay import drain
from aitbc.core.states import begin
from apps.gpu.events import BookingBroken, BookingProvisioned
from apps.marketplace import handlers
from apps.marketplace.logic.durations import whole_ms
from apps.marketplace.models import GPUBooking, MarketplaceOffer
from apps.marketplace.selectors import clock
from apps.marketplace.services import bookings, sweeps
from apps.marketplace.states import OfferState
from apps.trading.services import deposits
from tests.marketplace.gpus import register_gpus
from tests.owners import new_owner

AIT = 1_000_000
HOUR = timedelta(hours=1)


def funded(amount: int = 100 * AIT, owner: UUID | None = None) -> UUID:
    """An owner with this much money."""
    owner = owner or new_owner()
    deposits.deposit(owner_id=owner, amount=amount, reason="test", actor="operator:test")
    return owner


def rentable(*, provider: UUID | None = None, gpus: int = 1, price: int = AIT, **fields: Any) -> MarketplaceOffer:
    """An open offer over registered cards of its own, at 1 AIT per GPU and hour."""
    defaults = {
        "provider_id": provider or uuid4(), "slots": [uuid4() for _ in range(gpus)], "backed": True, "gpu_count": gpus,
        "price_gpu_hour": price, "base_price": price, "state": OfferState.OPEN, "gpu_model": "GeForce RTX 4090",
        "gpu_name": "GeForce RTX 4090", "memory_mb": 24_576, "region": "de", "rentable": True, "miner_id": uuid4(),
        "available_from": clock.now() - HOUR,
    }  # fmt: skip
    offer = MarketplaceOffer(**defaults | fields)
    register_gpus(offer)
    with atomic(MarketplaceOffer):
        begin(offer, actor="test")
    return offer


def booked(offer: MarketplaceOffer, renter: UUID, **terms: Any) -> GPUBooking:
    """A booking of an hour, asked for; the money is on the way."""
    return bookings.book(offer=offer, renter_id=renter, actor="test", **{"duration_s": 3600, **terms})


def reserved(offer: MarketplaceOffer, renter: UUID, **terms: Any) -> GPUBooking:
    booking = booked(offer, renter, **terms)
    drain()
    return again(booking)


def running(offer: MarketplaceOffer, renter: UUID, **terms: Any) -> GPUBooking:
    """A booking whose cards the miner has made ready."""
    booking = reserved(offer, renter, **terms)
    provisioned(booking)
    drain()
    return again(booking)


def provisioned(*made: GPUBooking) -> None:
    """The miner's word, as gpu tells it."""
    at = clock.now().isoformat()
    handlers.on_bookings_provisioned(
        [BookingProvisioned(booking_id=str(b.pk), miner_id=str(b.miner_id), at=at) for b in made]
    )


def broken(booking: GPUBooking, reason: str = "offline", at: datetime | None = None) -> None:
    lost = str(booking.slot_slices.first().slot)
    moment = (at or clock.now()).isoformat()
    handlers.on_bookings_broken([BookingBroken(booking_id=str(booking.pk), gpu_id=lost, reason=reason, at=moment)])


def again(booking: GPUBooking) -> GPUBooking:
    return GPUBooking.objects.get(pk=booking.pk)


def at(moment: datetime) -> None:
    """Let the sweep run as if it were this late, and everybody hear of it."""
    sweeps.run(now=whole_ms(moment))
    drain()


def settled(booking: GPUBooking) -> GPUBooking:
    """The booking after its time is over and its money is divided."""
    at(booking.ends_at + timedelta(seconds=1))
    return again(booking)


def after(booking: GPUBooking, **span: float) -> datetime:
    """A moment so long after the booking became active."""
    assert booking.activated_at is not None
    return booking.activated_at + timedelta(**span)


def sound(only: Collection[str] = ()) -> None:
    """No invariant (or none of these) is broken, those at rest included."""
    drain()
    violations = {one.name: lines for one, lines in invariants.run(only).items() if lines}
    assert violations == {}, violations


def reported(name: str) -> list[str]:
    return [line for lines in invariants.run([name]).values() for line in lines]
