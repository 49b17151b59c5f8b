"""The terms of a booking: how many GPUs, when, at what price; checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict, Unpack
from uuid import UUID

from aitbc.core import params
from aitbc.core.money import MS_PER_HOUR, metered
from apps.marketplace.constraints import evaluation
from apps.marketplace.errors import BookingInvalid, MinerSilent, OfferNotOpen, RenterRefused, SelfBooking
from apps.marketplace.logic.durations import whole_ms
from apps.marketplace.models import MarketplaceDemand, MarketplaceOffer, Quote
from apps.marketplace.models.offers import LISTED
from apps.marketplace.services import constraint_facts

#: A month of storage prices is this many hours (docs/renters.md, "What it costs").
HOURS_PER_MONTH = 730
#: Clocks of callers may be this much behind before "now" is "the past".
SKEW = timedelta(seconds=60)
#: Nobody books further ahead.
HORIZON = timedelta(days=365)


class BookingRequest(TypedDict, total=False):
    """What a renter may ask of a booking; left out: all GPUs of the offer, one hour, at once, no storage."""

    gpu_count: int | None
    duration_s: int
    starts_at: datetime | None
    storage_gb: int


@dataclass(frozen=True, kw_only=True)
class AwardTerms:
    """What an award brings to its booking: the demand, its rate in micro-AIT per hour for all GPUs, and the winning
    bid when its bond becomes the booking's."""

    demand: MarketplaceDemand
    rate: int
    bid_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Terms:
    """One booking as requested, with the prices it would have. Rates are micro-AIT per hour."""

    offer: MarketplaceOffer
    renter_id: UUID
    gpu_count: int
    duration_s: int
    starts_at: datetime
    instant: bool
    storage_gb: int
    price_gpu_hour: int
    rate: int
    demand: MarketplaceDemand | None = None

    @property
    def ends_at(self) -> datetime:
        """When the span is over."""
        return self.starts_at + timedelta(seconds=self.duration_s)

    @property
    def milliseconds(self) -> int:
        """The length of the span in milliseconds."""
        return self.duration_s * 1000

    @property
    def escrow(self) -> int:
        """The price of the whole span in micro-AIT; at least 1, since nothing cannot be set aside."""
        return max(1, metered(self.rate, self.milliseconds))

    @property
    def bond(self) -> int:
        return bond_for(self.rate) if self.offer.bonded else 0


def bond_for(rate: int) -> int:
    """Return what a provider pledges for a booking or a bid at this rate, in micro-AIT: an hour of it, at least
    market.bid_bond_min."""
    return max(params.get("market.bid_bond_min"), rate)


def storage_rate(storage_gb: int, price_gb_month: int) -> int:
    """Return the price of this much storage in micro-AIT per hour, rounded down."""
    return storage_gb * price_gb_month // HOURS_PER_MONTH


def proposed(
    *, offer: MarketplaceOffer, renter_id: UUID, now: datetime, award: AwardTerms | None = None,
    **request: Unpack[BookingRequest],
) -> Terms:  # fmt: skip
    """Return checked terms at the offer's present price, or at an award's.

    Raises SelfBooking, OfferNotOpen, MinerSilent, BookingInvalid, RenterRefused.
    """
    count = request.get("gpu_count")
    count = offer.gpu_count if count is None else count
    starts_at, storage_gb = request.get("starts_at"), request.get("storage_gb", 0)
    price = offer.price_gpu_hour if award is None else award.rate // max(count, 1)
    rate = count * price + storage_rate(storage_gb, offer.price_storage_gb_month) if award is None else award.rate
    return checked(
        Terms(
            offer=offer, renter_id=renter_id, gpu_count=count, duration_s=request.get("duration_s", 3600),
            storage_gb=storage_gb, starts_at=now if starts_at is None else whole_ms(starts_at),
            instant=starts_at is None, price_gpu_hour=price, rate=rate, demand=award.demand if award else None,
        ),
        now,
    )  # fmt: skip


def quoted(quote: Quote, *, now: datetime) -> Terms:
    """Return checked terms at the price a quote keeps open; raises what `proposed` raises."""
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
    """Return the terms, or raise the reason why they cannot be."""
    check_parties(terms)
    check_numbers(terms)
    check_span(terms, now)
    if terms.offer.constraints and not evaluation.admits(terms.offer.constraints, facts_of(terms)):
        raise RenterRefused(f"The provider lets this offer only to: {terms.offer.constraints}")
    return terms


def check_parties(terms: Terms) -> None:
    """Raise SelfBooking, OfferNotOpen or MinerSilent unless this renter may book this offer now."""
    offer = terms.offer
    if offer.provider_id == terms.renter_id:
        raise SelfBooking("This is your own offer: it is let to others.")
    if offer.state not in LISTED:
        raise OfferNotOpen(f"The offer is {offer.state}.", state=offer.state, allowed=[str(s) for s in LISTED])
    if offer.backed and terms.instant and not offer.rentable:
        raise MinerSilent("Its miner is not heard, or a card is quarantined; book for later, or another offer.")


def check_numbers(terms: Terms) -> None:
    """Raise BookingInvalid unless GPUs, duration and storage are within the offer's bounds."""
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
    """Raise BookingInvalid unless the time is in the future, near enough, and within the offer's own."""
    offer = terms.offer
    if terms.starts_at < now - SKEW:
        raise BookingInvalid(starts_at="That is in the past.")
    if terms.starts_at > now + HORIZON:
        raise BookingInvalid(starts_at="Nobody books further ahead than a year.")
    if terms.starts_at < offer.available_from:
        raise BookingInvalid(starts_at=f"The offer is available from {offer.available_from.isoformat()} on.")
    if offer.available_until is not None and terms.ends_at > offer.available_until:
        raise BookingInvalid(duration_s=f"The offer is available until {offer.available_until.isoformat()}.")


def facts_of(terms: Terms) -> dict[str, Any]:
    """Return what the offer's constraint may know: an award's booking is judged by its demand."""
    if terms.demand is not None:
        demand = constraint_facts.demand_facts(terms.demand)
    else:
        demand = constraint_facts.direct_demand_facts(
            gpu_count=terms.gpu_count, duration_s=terms.duration_s, rate=terms.rate, region=terms.offer.region
        )
    return {"renter": constraint_facts.renter_facts(terms.renter_id), "demand": demand}


def extension_cost(rate: int, milliseconds: int) -> int:
    """Return the price of more time at a rate (micro-AIT per hour), rounded up: so the escrow always covers the sum of
    two spans that are each rounded down."""
    return max(1, -(-rate * milliseconds // MS_PER_HOUR))
