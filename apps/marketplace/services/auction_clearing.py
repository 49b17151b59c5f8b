"""Clearing an auction: the winner is computed, proved, signed, booked and published in one transaction, once.

At closes_at no more bids are taken; those whose bond is still on its way are waited for a little. When the winner's
offer cannot be booked after all (its slots are taken, its miner is silent), that bid does not count, the reason is in
the proof, and the next best wins. When the renter cannot pay, the demand has expired. Locks: the demand, its bids, then
what a booking locks.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from aitbc.core import signing
from aitbc.core.db import atomic
from aitbc.core.errors import Conflict, Forbidden, InsufficientFunds, Invalid
from aitbc.core.ids import uuid7
from aitbc.core.locks import advisory_lock
from aitbc.core.messaging import emit
from aitbc.core.money import format_amount, parse_amount
from apps.marketplace.errors import BidNotFound, BidOverBudget, BidUnfit, DemandNotOpen, RenterCannotPay, SelfBid
from apps.marketplace.events import DemandAwarded
from apps.marketplace.logic import award_proof
from apps.marketplace.logic.award_proof import ACCEPT, AUCTION, CHOICE, MATCH
from apps.marketplace.models import Award, GPUBooking, MarketplaceBid, MarketplaceDemand, MarketplaceOffer
from apps.marketplace.selectors import clock
from apps.marketplace.services import bids, bookings, demands, eligibility
from apps.marketplace.services.terms import AwardTerms
from apps.marketplace.states import BidState, DemandState

ACTOR = "system:auction"
#: Bids made in the last moment have so long for their bond to be set aside.
BOND_GRACE = timedelta(seconds=30)


def close_due(*, limit: int = 200) -> int:
    """Clear the auctions whose time is over; return how many ended. One that fails does not hold up the others."""
    due = MarketplaceDemand.objects.to_close(clock.now()).order_by("closes_at", "pk")
    states, failed = [], None
    for pk in list(due.values_list("pk", flat=True)[:limit]):
        try:
            states.append(clear(pk))
        except Exception as error:  # noqa: BLE001  one auction must not hold up the others; the first failure is raised below
            failed = failed or error
    if failed is not None:
        raise failed
    return sum(state not in (None, DemandState.OPEN, DemandState.CLOSING) for state in states)


def clear(demand_id: UUID) -> str | None:
    """Clear this auction if its time is over.

    Returns the demand's state, or None when another process is clearing it.
    """
    with advisory_lock(MarketplaceDemand, f"marketplace.auction:{demand_id}") as held:
        if not held:
            return None
        now, demand = clock.now(), demands.locked(demand_id)
        if demand.state not in (DemandState.OPEN, DemandState.CLOSING) or demand.closes_at is None:
            return str(demand.state)
        if demand.closes_at > now:
            return str(demand.state)
        if demand.state == DemandState.OPEN:
            demand.advance(DemandState.CLOSING, actor=ACTOR, reason="its time is over")
        found = standing(demand)
        waits = now < demand.closes_at + BOND_GRACE
        if not (waits and any(bid.state == BidState.PENDING for bid in found)):
            decide(demand, found, now)
        return str(demand.state)


def standing(demand: MarketplaceDemand) -> list[MarketplaceBid]:
    """Return the bids that may still win, locked, with their offers."""
    rows = demand.bids.standing().select_related("offer")
    return list(rows.order_by("pk").select_for_update(of=("self",), no_key=True))


def decide(demand: MarketplaceDemand, found: list[MarketplaceBid], now: datetime) -> Award | None:
    """Award the best bid whose offer can be booked; without one the demand has failed, or expired.

    Returns the award, or None.
    """
    refused = eligibility.verdicts(demand, found, now)
    while True:
        inputs = inputs_of(demand, found, refused, now, mode=AUCTION)
        proof = award_proof.proof_of(inputs)
        winner = next((bid for bid in found if str(bid.pk) == proof["outcome"]["winner"]), None)
        if winner is None:
            fail(demand, DemandState.FAILED_NO_BIDS, "no bid was eligible" if found else "there were no bids")
            return None
        try:
            booking = book(demand, winner, price_in(proof))
        except InsufficientFunds:
            fail(demand, DemandState.EXPIRED, "its renter could not pay for it")
            return None
        except (Conflict, Forbidden, Invalid) as error:
            refused[winner.pk] = f"it could not be booked: {error.detail}"[:500]
        else:
            return conclude(demand, winner, booking, proof, actor=ACTOR)


def fail(demand: MarketplaceDemand, to: DemandState, reason: str) -> None:
    """End a demand without an award, and its bids with it."""
    demand.advance(to, actor=ACTOR, reason=reason)
    demands.lose_bids(demand, actor=ACTOR, reason=reason)


def book(demand: MarketplaceDemand, bid: MarketplaceBid, price_hour: int) -> GPUBooking:
    """Book the winner's offer for the renter at `price_hour` (micro-AIT per hour) and return the booking.

    The bid's bond becomes the booking's.
    """
    with atomic(GPUBooking):
        award = AwardTerms(demand=demand, rate=price_hour, bid_id=bid.pk if bid.bond else None)
        return bookings.book(
            offer=bid.offer, renter_id=demand.renter_id, actor=ACTOR, award=award, gpu_count=demand.gpu_count,
            duration_s=demand.duration_s,
        )  # fmt: skip


def conclude(
    demand: MarketplaceDemand, winner: MarketplaceBid, booking: GPUBooking, proof: dict[str, Any], *, actor: str
) -> Award:
    """Write the award down, end the other bids, and emit DemandAwarded for trading's log; returns the award."""
    winner.advance(BidState.WON, actor=actor, reason=proof["inputs"]["mode"], bond_ended=True)
    demand.advance(DemandState.AWARDED, actor=actor, reason=proof["inputs"]["mode"])
    demands.lose_bids(demand, actor=actor, reason="another bid won")
    award = Award.objects.create(
        id=UUID(proof["inputs"]["award"]), demand=demand, bid=winner, price_hour=price_in(proof), proof=proof,
        digest=award_proof.digest_of(proof), signature=signing.sign(award_proof.TAG, proof), booking_id=booking.pk,
    )  # fmt: skip
    emit(
        DemandAwarded(demand_id=str(demand.pk), award_id=str(award.pk), digest=award.digest, proof=proof),
        by="marketplace",
    )
    return award


def price_in(proof: dict[str, Any]) -> int:
    """Return the price of a proof's outcome in micro-AIT per hour."""
    return parse_amount(proof["outcome"]["price"])


def inputs_of(
    demand: MarketplaceDemand, found: Iterable[MarketplaceBid], refused: dict[UUID, str], now: datetime, *, mode: str,
    choice: UUID | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return everything the outcome follows from, in the form of a proof (logic/award_proof.py)."""
    return {
        "award": str(uuid7()), "demand": str(demand.pk), "mode": mode, "choice": str(choice) if choice else None,
        "format": demand.auction, "weights": demand.weights, "budget": format_amount(demand.budget_hour),
        "reserve": None if demand.reserve_hour is None else format_amount(demand.reserve_hour),
        "gpu_count": demand.gpu_count, "duration_s": demand.duration_s,
        "closes_at": signing.stamp(demand.closes_at) if demand.closes_at else None, "cleared_at": signing.stamp(now),
        "bids": [bid_in_proof(bid, refused[bid.pk]) for bid in found],
    }  # fmt: skip


def bid_in_proof(bid: MarketplaceBid, refused: str) -> dict[str, Any]:
    """Return a bid in the form of a proof, with the reason why it does not count (or "")."""
    frozen = bids.auction_bid(bid)
    return {
        "id": frozen.id, "bidder": bids.alias_of_bidder(bid), "at": frozen.at,
        "price": format_amount(frozen.price), "quality": frozen.quality, "reliability": frozen.reliability,
        "gpu": bid.gpu_snapshot, "refused": refused,
    }  # fmt: skip


def award_by_hand(*, demand: MarketplaceDemand, bid_id: UUID, actor: str) -> Award:
    """Award the bid that the renter chose at its own price, before or without the auction's close; returns the award.

    Raises DemandNotOpen, BidNotFound, BidUnfit, and whatever a booking may be refused with.
    """
    with atomic(MarketplaceDemand):
        now, row = clock.now(), demands.locked(demand.pk)
        bids.require_open(row, now)
        found = standing(row)
        chosen = next((bid for bid in found if bid.pk == bid_id), None)
        if chosen is None:
            raise BidNotFound(f"{bid_id} is none of the bids that stand.")
        return award_bid(row, found, chosen, now, mode=CHOICE, actor=actor)


def match(
    *, demand: MarketplaceDemand, offer: MarketplaceOffer, price_hour: int, actor: str, mode: str = MATCH
) -> Award:
    """Award a standing demand to an offer, which bids and wins at once, within the demand's budget; returns the award.

    There is no moment in which the bid could be broken, so it has no bond of its own. Raises SelfBid, DemandNotOpen,
    BidOverBudget, BidUnfit, and whatever a booking may be refused with.
    """
    assert mode in (ACCEPT, MATCH)
    with atomic(MarketplaceDemand):
        now, row = clock.now(), demands.locked(demand.pk)
        if offer.provider_id == row.renter_id:
            raise SelfBid("Both orders are your own.")
        bids.require_open(row, now)
        if row.closes_at is not None:
            raise DemandNotOpen("It is awarded by its auction; bid for it.", state=row.state, allowed=[])
        if not 0 < price_hour <= row.budget_hour:
            raise BidOverBudget(format_amount(price_hour), format_amount(row.budget_hour))
        found = [bid for bid in standing(row) if bid.offer_id != offer.pk]
        own = demand.bids.standing().filter(offer=offer).first()
        bid = own or bids.new_bid(row, offer, offer.provider_id, price_hour, state=BidState.OPEN, bond_ended=True)
        if own is None:
            bids.insert(bid, actor=actor)
        try:
            return award_bid(row, [*found, bid], bid, now, mode=mode, actor=actor)
        except InsufficientFunds:
            raise RenterCannotPay() from None  # how much it has is its own business


def award_bid(
    demand: MarketplaceDemand, found: list[MarketplaceBid], bid: MarketplaceBid, now: datetime, *, mode: str, actor: str
) -> Award:
    """Award this bid at its own price and return the award.

    Raises BidUnfit, and whatever a booking may be refused with.
    """
    refused = eligibility.verdicts(demand, found, now)
    if refused[bid.pk]:
        raise BidUnfit([refused[bid.pk]])
    proof = award_proof.proof_of(inputs_of(demand, found, refused, now, mode=mode, choice=bid.pk))
    return conclude(demand, bid, book(demand, bid, price_in(proof)), proof, actor=actor)


def current(demand: MarketplaceDemand) -> MarketplaceDemand:
    """Return the demand as it is now: an auction whose time is over is cleared first."""
    running = demand.state in (DemandState.OPEN, DemandState.CLOSING)
    if running and demand.closes_at is not None and demand.closes_at <= clock.now():
        clear(demand.pk)
        demand.refresh_from_db()
    return demand


def run(*, limit: int = 200) -> int:
    """Expire bids, follow awards, request again the bonds that trading has not answered about, and clear auctions.

    Auctions come last: the failure of one is raised, and must not hold up the rest. Returns how many demands and bids
    ended.
    """
    now = clock.now()
    done = bids.expire(now) + demands.sweep(now, limit=limit)
    bids.request_bonds_again(now - timedelta(minutes=1))
    return done + close_due(limit=limit)
