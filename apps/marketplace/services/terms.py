"""What a booking would be: how many GPUs, when, at what price; judged before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from aitbc.core import params
from aitbc.core.money import MS_PER_HOUR, UNIT, metered
from apps.marketplace.constraints import evaluation
from apps.marketplace.errors import BookingInvalid, MinerSilent, OfferNotOpen, RenterRefused, SelfBooking
from apps.marketplace.logic.durations import MILLISECOND, whole_ms
from apps.marketplace.models import GPUBooking, GPUReview, MarketplaceOffer, Quote
from apps.marketplace.models.offers import LISTED
from apps.marketplace.states import BookingState

#: A month of storage prices is this many hours (spec/marketplace.md §1.5: gb / 730).
HOURS_PER_MONTH = 730
#: Clocks of callers may be this much behind before "now" is "the past".
SKEW = timedelta(seconds=60)
#: Nobody books further ahead.
HORIZON = timedelta(days=365)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """One booking as asked, with the prices it would have. Rates are micro-AIT per hour."""

    offer: MarketplaceOffer
    renter_id: UUID
    gpu_count: int
    duration_s: int
    starts_at: datetime
    instant: bool
    storage_gb: int
    price_gpu_hour: int
    rate: int

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + timedelta(seconds=self.duration_s)

    @property
    def milliseconds(self) -> int:
        return self.duration_s * 1000

    @property
    def escrow(self) -> int:
        """The price of the whole span; at least one micro-AIT, since nothing cannot be set aside."""
        return max(1, metered(self.rate, self.milliseconds))

    @property
    def bond(self) -> int:
        return bond_for(self.rate) if self.offer.bonded else 0


def bond_for(rate: int) -> int:
    """What a provider pledges for a booking or a bid at this rate: an hour of it, or the least bond."""
    return max(params.get("market.bid_bond_min"), rate)


def storage_rate(storage_gb: int, price_gb_month: int) -> int:
    """micro-AIT per hour for this much storage, rounded down."""
    return storage_gb * price_gb_month // HOURS_PER_MONTH


def proposed(
    *, offer: MarketplaceOffer, renter_id: UUID, now: datetime, gpu_count: int | None, duration_s: int,
    starts_at: datetime | None = None, storage_gb: int = 0, rate: int | None = None,
) -> Terms:  # fmt: skip
    """Terms at the offer's present price (or at a rate agreed otherwise), checked."""
    count = offer.gpu_count if gpu_count is None else gpu_count
    price = offer.price_gpu_hour if rate is None else rate // max(count, 1)
    full = count * price + storage_rate(storage_gb, offer.price_storage_gb_month) if rate is None else rate
    return checked(
        Terms(
            offer=offer, renter_id=renter_id, gpu_count=count, duration_s=duration_s, storage_gb=storage_gb,
            starts_at=now if starts_at is None else whole_ms(starts_at), instant=starts_at is None,
            price_gpu_hour=price, rate=full,
        ),
        now,
    )  # fmt: skip


def quoted(quote: Quote, *, now: datetime) -> Terms:
    """Terms at the price a quote keeps."""
    storage = storage_rate(quote.storage_gb, quote.price_storage_gb_month)
    return checked(
        Terms(
            offer=quote.offer, renter_id=quote.renter_id, gpu_count=quote.gpu_count, duration_s=quote.duration_s,
            storage_gb=quote.storage_gb, starts_at=quote.starts_at or now, instant=quote.starts_at is None,
            price_gpu_hour=quote.price_gpu_hour, rate=quote.gpu_count * quote.price_gpu_hour + storage,
        ),
        now,
    )  # fmt: skip


def checked(terms: Terms, now: datetime) -> Terms:
    """The terms, or the reason why they cannot be."""
    check_parties(terms)
    check_numbers(terms)
    check_span(terms, now)
    if terms.offer.constraints and not evaluation.admits(terms.offer.constraints, facts(terms)):
        raise RenterRefused(f"The provider lets this offer only to: {terms.offer.constraints}")
    return terms


def check_parties(terms: Terms) -> None:
    offer = terms.offer
    if offer.provider_id == terms.renter_id:
        raise SelfBooking("This is your own offer: it is let to others.")
    if offer.state not in LISTED:
        raise OfferNotOpen(f"The offer is {offer.state}.", state=offer.state, allowed=[str(s) for s in LISTED])
    if offer.backed and terms.instant and not offer.rentable:
        raise MinerSilent("Its miner is not heard, or a card is quarantined; book for later, or another offer.")


def check_numbers(terms: Terms) -> None:
    offer = terms.offer
    if not 1 <= terms.gpu_count <= offer.gpu_count:
        raise BookingInvalid(gpu_count=f"This offer has {offer.gpu_count}; ask for 1 to {offer.gpu_count}.")
    if not offer.min_duration_s <= terms.duration_s <= offer.max_duration_s:
        raise BookingInvalid(
            duration_s=f"This offer is let for {offer.min_duration_s} to {offer.max_duration_s} seconds."
        )
    if terms.storage_gb and not offer.price_storage_gb_month:
        raise BookingInvalid(storage_gb="This offer sells no storage.")


def check_span(terms: Terms, now: datetime) -> None:
    offer = terms.offer
    if terms.starts_at < now - SKEW:
        raise BookingInvalid(starts_at="That is in the past.")
    if terms.starts_at > now + HORIZON:
        raise BookingInvalid(starts_at="Nobody books further ahead than a year.")
    if terms.starts_at < offer.available_from:
        raise BookingInvalid(starts_at=f"The offer is available from {offer.available_from.isoformat()} on.")
    if offer.available_until is not None and terms.ends_at > offer.available_until:
        raise BookingInvalid(duration_s=f"The offer is available until {offer.available_until.isoformat()}.")


def facts(terms: Terms) -> dict[str, Any]:
    """What an offer's constraint may ask about: who rents, and what."""
    settled = GPUBooking.objects.rented_by(terms.renter_id).filter(state=BookingState.SETTLED).count()
    stars = list(
        GPUReview.objects.of_subject(terms.renter_id)
        .filter(subject=GPUReview.Subject.RENTER)
        .shown()
        .values_list("rating", flat=True)
    )
    return {
        "renter": {
            "id": str(terms.renter_id), "bookings": settled, "rating": sum(stars) / len(stars) if stars else None,
        },
        "demand": {
            "gpu_count": terms.gpu_count, "duration_s": terms.duration_s,
            "duration_hours": terms.duration_s * 1000 / MS_PER_HOUR, "budget_hour": terms.rate / UNIT,
            "region": terms.offer.region,
        },
    }  # fmt: skip


def extension_cost(rate: int, milliseconds: int) -> int:
    """What more time costs, rounded up: so the escrow always covers the sum of two spans rounded down."""
    return max(1, -(-rate * milliseconds // MS_PER_HOUR))


def milliseconds_of(span: timedelta) -> int:
    return span // MILLISECOND
