"""The legacy GPU marketplace over offers and bookings: a listed GPU is an offer, an order is a booking."""

from __future__ import annotations

from typing import Any, Required, TypedDict, Unpack
from uuid import UUID

from aitbc.core.db import atomic
from apps.marketplace.errors import NotSettledYet, OfferBooked
from apps.marketplace.models import GPUBooking, GPUReview, MarketplaceOffer, RegisteredGPU
from apps.marketplace.selectors.listings import current
from apps.marketplace.services import bookings, offers, reviews
from apps.marketplace.states import BookingState


class Listing(TypedDict, total=False):
    """A GPU as its provider describes it; the price is micro-AIT per hour."""

    name: Required[str]
    memory_mb: Required[int]
    price_gpu_hour: Required[int]
    description: str
    miner_name: str
    region: str
    compute_capability: float


def register(*, owner_id: UUID, actor: str, **listing: Unpack[Listing]) -> MarketplaceOffer:
    """List a GPU: over the owner's registered GPU of that name when it has one in no other offer, else unbacked.

    Raises OfferInvalid, CardsOverOffered.
    """
    name, gpu = listing["name"], free_gpu(owner_id, listing["name"])
    described = {key: value for key, value in listing.items() if key in ("memory_mb", "region", "compute_capability")}
    source: dict[str, Any] = (
        {"gpu_ids": [gpu.pk]} if gpu else {"specs": {"gpu_name": name, "gpu_model": name, **described}}
    )
    return offers.create(
        provider_id=owner_id, actor=actor, price_gpu_hour=listing["price_gpu_hour"],
        description=listing.get("description", ""), provider_name=listing.get("miner_name", ""), **source,
    )  # fmt: skip


def free_gpu(owner_id: UUID, name: str) -> RegisteredGPU | None:
    """Return a registered GPU of this owner in no offer whose reported or catalogue name is (part of) this one."""
    requested = name.casefold()
    for gpu in RegisteredGPU.objects.filter(owner_id=owner_id).order_by("changed_at", "pk"):
        known = [str(gpu.facts.get(field) or "").casefold() for field in ("name", "model")]
        same = any(text and (text in requested or requested in text) for text in known)
        offered = MarketplaceOffer.objects.over_any([gpu.pk]).exclude(state__in=["withdrawn", "expired"])
        if same and not offered.exists():
            return gpu
    return None


def release(offer: MarketplaceOffer, *, renter_id: UUID, actor: str) -> GPUBooking | None:
    """End the caller's booking of this offer by the ordinary rules: what was used is paid, the rest comes back.

    Returns the booking, or None when there is none under way.
    """
    booking = current(offer, renter_id)
    if booking is None:
        return None
    return bookings.cancel(booking=booking, party_id=renter_id, actor=actor, reason="released")


def remove(offer: MarketplaceOffer, *, actor: str, force: bool) -> MarketplaceOffer:
    """Withdraw a listing and return its offer. Raises OfferBooked.

    With bookings under way only by force, which cancels them for the provider.
    """
    with atomic(MarketplaceOffer):
        live = bookings.live_over(offer)
        if live and not force:
            raise OfferBooked("With force=true its bookings are cancelled on your account.", state="booked", allowed=[])
        for booking in live:
            bookings.cancel(booking=booking, party_id=offer.provider_id, actor=actor, reason="the GPU was removed")
        offer.refresh_from_db()
        return offers.withdraw(offer=offer, actor=actor, reason="removed by its provider")


def review(offer: MarketplaceOffer, *, rater_id: UUID, stars: int, text: str) -> GPUReview:
    """Review the caller's last settled booking of this offer that it has not reviewed, and return the review.

    Raises NotSettledYet.
    """
    mine = offer.bookings.filter(renter_id=rater_id, state=BookingState.SETTLED).exclude(reviews__rater_id=rater_id)
    booking = mine.order_by("-ended_at", "-pk").first()
    if booking is None:
        raise NotSettledYet("You have no settled booking of this GPU that you have not reviewed.")
    return reviews.write(booking=booking, rater_id=rater_id, stars=stars, text=text)
