"""The predecessor's GPU marketplace in terms of ours: a listed GPU is an offer, an order is a booking."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from aitbc.core.db import atomic
from apps.marketplace.errors import NotSettledYet, OfferBooked
from apps.marketplace.models import Device, GPUBooking, GPUReview, MarketplaceOffer
from apps.marketplace.selectors.listings import current
from apps.marketplace.services import bookings, offers, reviews
from apps.marketplace.states import BookingState


def register(
    *, owner_id: UUID, actor: str, name: str, memory_mb: int, price_gpu_hour: int, description: str = "",
    miner_name: str = "", **specs: Any,
) -> MarketplaceOffer:  # fmt: skip
    """List a GPU: over the owner's registered card of that name when it has one in no other offer, else unbacked."""
    card = free_card(owner_id, name)
    what: dict[str, Any] = {"gpu_ids": [card.pk]} if card else {
        "specs": {"gpu_name": name, "gpu_model": name, "memory_mb": memory_mb, **specs},
    }  # fmt: skip
    return offers.create(
        provider_id=owner_id, actor=actor, price_gpu_hour=price_gpu_hour, description=description,
        provider_name=miner_name, **what,
    )  # fmt: skip


def free_card(owner_id: UUID, name: str) -> Device | None:
    """A registered card of this owner whose reported or catalogue name is (part of) this one, not offered yet."""
    wanted = name.casefold()
    for card in Device.objects.filter(owner_id=owner_id).order_by("changed_at"):
        known = [str(card.facts.get(field) or "").casefold() for field in ("name", "model")]
        same = any(text and (text in wanted or wanted in text) for text in known)
        offered = MarketplaceOffer.objects.over_any([card.pk]).exclude(state__in=["withdrawn", "expired"])
        if same and not offered.exists():
            return card
    return None


def release(offer: MarketplaceOffer, *, renter_id: UUID, actor: str) -> GPUBooking | None:
    """End the caller's booking of this offer by the ordinary rules: what was used is paid, the rest comes back."""
    booking = current(offer, renter_id)
    if booking is None:
        return None
    return bookings.cancel(booking=booking, party_id=renter_id, actor=actor, reason="released")


def remove(offer: MarketplaceOffer, *, actor: str, force: bool) -> MarketplaceOffer:
    """Take a listing away; with bookings under way only by force, and then its provider has cancelled them."""
    with atomic(MarketplaceOffer):
        live = bookings.live_over(offer)
        if live and not force:
            raise OfferBooked("With force=true its bookings are cancelled on your account.", state="booked", allowed=[])
        for booking in live:
            bookings.cancel(booking=booking, party_id=offer.provider_id, actor=actor, reason="the GPU was removed")
        offer.refresh_from_db()
        return offers.withdraw(offer=offer, actor=actor, reason="removed by its provider")


def review(offer: MarketplaceOffer, *, rater_id: UUID, stars: int, text: str) -> GPUReview:
    """Review the caller's last settled booking of this offer that it has not reviewed; NotSettledYet without one."""
    mine = offer.bookings.filter(renter_id=rater_id, state=BookingState.SETTLED).exclude(reviews__rater_id=rater_id)
    booking = mine.order_by("-ended_at").first()
    if booking is None:
        raise NotSettledYet("You have no settled booking of this GPU that you have not reviewed.")
    return reviews.write(booking=booking, rater_id=rater_id, stars=stars, text=text)
