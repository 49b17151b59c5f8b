"""Demands: drafted, published, cancelled, and followed to the end of their bookings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Required, TypedDict, Unpack
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Q

from aitbc.core.db import atomic
from aitbc.core.errors import DomainError
from aitbc.core.messaging import emit
from aitbc.core.states import advance_many, begin
from apps.marketplace.errors import DemandInvalid, DemandNotOpen, DemandTaken
from apps.marketplace.events import BondReleased
from apps.marketplace.logic.auction import Weights
from apps.marketplace.models import MarketplaceBid, MarketplaceDemand
from apps.marketplace.models.bookings import GPUBooking
from apps.marketplace.selectors import clock
from apps.marketplace.services import eligibility
from apps.marketplace.states import BOOKING_FINAL, BidState, BookingState, DemandState

SWEEP = "system:sweep"
#: The weights of a demand that names none, in basis points.
WEIGHTS = {"price": 7000, "quality": 1500, "reliability": 1500}
LONGEST_AUCTION = timedelta(days=30)
SHORTEST_AUCTION = timedelta(seconds=10)
LONGEST_BOOKING = timedelta(days=365)
#: A draft nobody publishes, and a standing demand nobody meets, are over after so long.
DRAFT_KEPT, STANDING_KEPT = timedelta(days=30), timedelta(days=90)
#: What a booking came to, for its demand: paid for as planned or not.
KEPT = (BookingState.ENDED, BookingState.CANCELLED_RENTER)


class DemandTerms(TypedDict, total=False):
    """What a renter may say of a demand; amounts are micro-AIT per hour for all its GPUs, weights basis points.

    `renter_name` and `specs` are what legacy clients call themselves, and their own description.
    """

    budget_hour: Required[int]
    duration_s: Required[int]
    external_id: str
    renter_name: str
    title: str
    gpu_models: list[str]
    gpu_count: int
    min_memory_mb: int
    region: str
    filter: str
    constraints: str
    reserve_hour: int | None
    start_by: datetime | None
    auction: str
    weights: dict[str, int]
    closes_at: datetime | None
    specs: dict[str, Any]


def create(*, renter_id: UUID, actor: str, publish: bool = True, **terms: Unpack[DemandTerms]) -> MarketplaceDemand:
    """Make a demand, open to bids at once or a draft, and return it.

    Raises DemandInvalid, FilterInvalid, ConstraintInvalid, DemandTaken (external_id).
    """
    terms["weights"] = terms.get("weights") or WEIGHTS
    demand = MarketplaceDemand(renter_id=renter_id, **terms)
    check(demand, clock.now())
    try:
        with atomic(MarketplaceDemand):
            begin(demand, actor=actor)
            if publish:
                demand.advance(DemandState.OPEN, actor=actor, reason="published")
    except IntegrityError as error:
        if "marketplace_demand_external" not in str(error):
            raise
        raise DemandTaken(f"{demand.external_id} is taken; give the new one another name.") from None
    return demand


def check(demand: MarketplaceDemand, now: datetime) -> None:
    """Raise DemandInvalid, FilterInvalid or ConstraintInvalid unless the demand makes sense."""
    wrong = dict(_wrong(demand, now))
    if wrong:
        raise DemandInvalid(**wrong)
    eligibility.check_requirements(demand.filter, demand.constraints)


def _wrong(demand: MarketplaceDemand, now: datetime) -> Iterator[tuple[str, str]]:
    yield from _wrong_weights(demand.weights)
    yield from _wrong_times(demand, now)
    if demand.budget_hour < 1:
        yield "budget_hour", "It must be more than 0."
    if not 1 <= demand.gpu_count <= 1000:
        yield "gpu_count", "It must be from 1 to 1000."
    if demand.reserve_hour is not None and not 0 < demand.reserve_hour <= demand.budget_hour:
        yield "reserve_hour", "It must be more than 0 and at most the budget."


def _wrong_weights(weights: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    try:
        Weights(**weights)
    except (TypeError, ValueError):
        yield "weights", "price, quality and reliability are basis points that sum to 10000, with some on the price."


def _wrong_times(demand: MarketplaceDemand, now: datetime) -> Iterator[tuple[str, str]]:
    longest = int(LONGEST_BOOKING.total_seconds())
    if not 1 <= demand.duration_s <= longest:
        yield "duration_s", f"It must be from 1 to {longest} seconds."
    if demand.closes_at is not None and not now + SHORTEST_AUCTION <= demand.closes_at <= now + LONGEST_AUCTION:
        yield "closes_at", f"It must be {SHORTEST_AUCTION.seconds} seconds to {LONGEST_AUCTION.days} days from now."
    if demand.start_by is not None and demand.start_by < (demand.closes_at or now):
        yield "start_by", "It must not be before the auction closes."


def publish(*, demand: MarketplaceDemand, actor: str) -> MarketplaceDemand:
    """Open a draft to bids and return it; its terms and weights are frozen. Raises StateConflict, DemandInvalid."""
    if demand.state == DemandState.DRAFT:
        check(demand, clock.now())
    demand.advance(DemandState.OPEN, actor=actor, reason="published")
    return demand


def cancel(*, demand: MarketplaceDemand, actor: str, reason: str = "") -> MarketplaceDemand:
    """Take a demand back before its auction is over and return it; all bonds are released.

    Raises DemandNotOpen, StateConflict.
    """
    with atomic(MarketplaceDemand):
        row = locked(demand.pk)
        if row.state == DemandState.OPEN and row.closes_at is not None and row.closes_at <= clock.now():
            raise DemandNotOpen("Its auction is over; it is being cleared.", state=row.state, allowed=[])
        row.advance(DemandState.CANCELLED, actor=actor, reason=reason or "cancelled")
        lose_bids(row, actor=actor, reason="the demand was cancelled")
    return row


def locked(demand_id: UUID) -> MarketplaceDemand:
    """Return the demand, its row locked: bidding, clearing and cancelling happen one after the other."""
    return MarketplaceDemand.objects.locked().get(pk=demand_id)


def lose_bids(demand: MarketplaceDemand, *, actor: str, reason: str) -> None:
    """End the bids that still stand and release their bonds."""
    ids = list(demand.bids.standing().order_by("pk").values_list("pk", flat=True))
    advance_many(MarketplaceBid, ids, BidState.LOST, actor=actor, reason=reason)
    release_bonds(ids)


def release_bonds(bid_ids: list[UUID]) -> None:
    """Emit BondReleased for each of these bids that has a bond, once."""
    standing = list(MarketplaceBid.objects.filter(pk__in=bid_ids).bonded().values_list("pk", flat=True))
    MarketplaceBid.objects.filter(pk__in=standing).update(bond_ended=True)
    emit(*(BondReleased(bond_id=str(pk)) for pk in standing), by="marketplace")


def sweep(now: datetime, *, limit: int = 200) -> int:
    """Follow awarded demands to the end of their bookings, and end those whose time is over; return how many
    changed."""
    return follow_bookings(limit=limit) + expire(now, limit=limit)


def follow_bookings(*, limit: int = 200) -> int:
    """Fulfil awarded demands whose booking was paid for, and expire those whose booking came to nothing; return how
    many."""
    over = GPUBooking.objects.filter(demand__state=DemandState.AWARDED, state__in=BOOKING_FINAL)
    done = 0
    for booking in over.order_by("pk")[:limit]:
        kept = booking.state == BookingState.SETTLED and booking.outcome in KEPT
        to = DemandState.FULFILLED if kept else DemandState.EXPIRED
        reason = f"its booking: {booking.outcome or booking.state}"
        done += len(advance_many(MarketplaceDemand, [booking.demand_id], to, actor=SWEEP, reason=reason))
    return done


def expire(now: datetime, *, limit: int = 200) -> int:
    """End drafts and standing demands whose time is over; return how many. Auctions end when they are cleared."""
    forgotten = Q(state=DemandState.DRAFT, created_at__lt=now - DRAFT_KEPT)
    late = Q(state__in=[DemandState.DRAFT, DemandState.OPEN], closes_at=None, start_by__lt=now)
    standing = Q(state=DemandState.OPEN, closes_at=None, created_at__lt=now - STANDING_KEPT)
    found = MarketplaceDemand.objects.filter(forgotten | late | standing).order_by("pk")
    done = 0
    for pk in list(found.values_list("pk", flat=True)[:limit]):
        done += expire_one(pk, reason="its time is over")
    return done


def expire_one(demand_id: UUID, *, reason: str) -> int:
    """Expire this demand; return 1, or 0 when it ended meanwhile."""
    with atomic(MarketplaceDemand):
        demand = locked(demand_id)
        try:
            demand.advance(DemandState.EXPIRED, actor=SWEEP, reason=reason)
        except DomainError:
            return 0  # somebody was faster
        lose_bids(demand, actor=SWEEP, reason=reason)
    return 1
