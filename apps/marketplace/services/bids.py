"""Bids: a provider's price for a demand, with a bond behind it. Locks: the demand, then its bids."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Required, TypedDict, Unpack
from uuid import UUID

from django.db import IntegrityError

from aitbc.core import params
from aitbc.core.aliases import alias
from aitbc.core.db import atomic
from aitbc.core.errors import InsufficientFunds
from aitbc.core.messaging import emit
from aitbc.core.money import format_amount
from aitbc.core.states import advance_many, begin
from apps.marketplace.errors import BidInvalid, BidOverBudget, BidStands, BidUnfit, BookFull, DemandNotOpen, SelfBid
from apps.marketplace.events import BondRequested
from apps.marketplace.logic import auction
from apps.marketplace.logic.auction import Bid, Terms, Weights
from apps.marketplace.models import MarketplaceBid, MarketplaceDemand, MarketplaceOffer, Outbox
from apps.marketplace.selectors import clock
from apps.marketplace.services import demands, eligibility
from apps.marketplace.services.terms import bond_for
from apps.marketplace.states import AuctionFormat, BidState, DemandState
from apps.trading.interface import available

if TYPE_CHECKING:
    from apps.trading.events import BondHeld, BondRefused

SWEEP = "system:sweep"


class BidRequest(TypedDict, total=False):
    """What a bidder may say of a bid: its price in micro-AIT per hour for all the demand's GPUs, and the rest."""

    price_hour: Required[int]
    external_id: str
    note: str
    expires_at: datetime | None


def place(
    *, demand_id: UUID, offer: MarketplaceOffer, bidder_id: UUID, actor: str, **request: Unpack[BidRequest]
) -> MarketplaceBid:
    """Bid with one of the bidder's offers; returns the bid, which counts once trading has set its bond aside.

    Raises SelfBid, DemandNotOpen, BidInvalid, BidOverBudget, BidUnfit, InsufficientFunds, BookFull, BidStands.
    """
    now, price_hour, expires_at = clock.now(), request["price_hour"], request.get("expires_at")
    with atomic(MarketplaceDemand):
        demand = demands.locked(demand_id)
        require_biddable(demand, bidder_id, price_hour, now)
        if expires_at is not None and expires_at <= now:
            raise BidInvalid("expires_at: It must be in the future.")
        bid = new_bid(
            demand, offer, bidder_id, price_hour, bond=bond_for(price_hour), expires_at=expires_at,
            note=request.get("note", ""), external_id=request.get("external_id", ""),
        )  # fmt: skip
        require_fit(demand, offer, now)
        require_bond(bid)
        make_room(demand, bid, actor=actor)
        insert(bid, actor=actor)
        emit(BondRequested(bond_id=str(bid.pk), owner_id=str(bidder_id), amount=bid.bond), by="marketplace")
    return bid


def require_biddable(demand: MarketplaceDemand, bidder_id: UUID, price_hour: int, now: datetime) -> None:
    """Raise SelfBid, DemandNotOpen, BidInvalid or BidOverBudget unless this bidder may bid this price (micro-AIT/h)."""
    if bidder_id == demand.renter_id:
        raise SelfBid("This demand is your own.")
    require_open(demand, now)
    if price_hour < 1:
        raise BidInvalid("price_hour: It must be more than 0.")
    if price_hour > demand.budget_hour:
        raise BidOverBudget(format_amount(price_hour), format_amount(demand.budget_hour))


def require_open(demand: MarketplaceDemand, now: datetime) -> None:
    """Raise DemandNotOpen unless the demand takes bids at this moment."""
    over = demand.closes_at is not None and demand.closes_at <= now
    if demand.state != DemandState.OPEN or over:
        raise DemandNotOpen(f"It is {'closing' if over else demand.state}.", state=demand.state, allowed=[])


def require_fit(demand: MarketplaceDemand, offer: MarketplaceOffer, now: datetime) -> None:
    """Raise BidUnfit, with every reason, unless the offer can serve the demand."""
    reasons = eligibility.refusals(demand, offer, now)
    if reasons:
        raise BidUnfit(reasons)


def require_bond(bid: MarketplaceBid) -> None:
    """Raise InsufficientFunds at once when the bidder cannot pledge the bond; trading decides for good."""
    left = available(bid.bidder_id)
    if left < bid.bond:
        raise InsufficientFunds(
            f"The bid's bond is {format_amount(bid.bond)} AIT; you have {format_amount(left)}.",
            needed=format_amount(bid.bond), available=format_amount(left),
        )  # fmt: skip


def new_bid(
    demand: MarketplaceDemand, offer: MarketplaceOffer, bidder_id: UUID, price_hour: int, **fields: Any
) -> MarketplaceBid:
    """Return an unsaved bid with the offer's GPUs frozen in it; `price_hour` is micro-AIT per hour."""
    return MarketplaceBid(
        demand=demand, offer=offer, bidder_id=bidder_id, price_hour=price_hour, gpu_snapshot=snapshot(offer),
        created_at=clock.now(), **fields,
    )  # fmt: skip


def insert(bid: MarketplaceBid, *, actor: str) -> None:
    """Save a new bid. Raises BidStands when its offer or its external id has a bid already."""
    try:
        with atomic(MarketplaceBid):
            begin(bid, actor=actor)
    except IntegrityError as error:
        if not {"marketplace_bid_one_standing", "marketplace_bid_external"} & set(str(error).split('"')):
            raise
        raise BidStands("Withdraw it first, or bid with another offer or under another name.") from None


def alias_of_bidder(bid: MarketplaceBid) -> str:
    """Return what its bidder is called in this auction: another name in every demand, and none that can be computed."""
    return alias("bidder", bid.demand_id, bid.bidder_id)


def snapshot(offer: MarketplaceOffer) -> dict[str, Any]:
    """Return the offer's GPUs as they are now, with quality and reliability in millionths."""
    return {
        "name": offer.gpu_name, "model": offer.gpu_model, "count": offer.gpu_count, "memory_mb": offer.memory_mb,
        "vendor": offer.vendor, "architecture": offer.architecture, "device": offer.device, "region": offer.region,
        "benchmark": f"{offer.benchmark:.3f}" if offer.benchmark is not None else None,
        "verified": offer.verified,
        # The day: the moment would name the offer, and with it the bidder.
        "verified_at": f"{offer.verified_at:%Y-%m-%d}" if offer.verified_at else None,
        "offer_revision": offer.revision,
        "quality": auction.quality_of(offer.benchmark, verified=offer.verified),
        "reliability": auction.millionths(offer.reliability),
    }  # fmt: skip


def auction_bid(bid: MarketplaceBid) -> Bid:
    """Return a bid as the auction's arithmetic takes it: as it was when it was made."""
    return Bid(
        id=str(bid.pk), at=moment(bid.created_at), price=bid.price_hour, quality=bid.gpu_snapshot["quality"],
        reliability=bid.gpu_snapshot["reliability"],
    )  # fmt: skip


def moment(at: datetime) -> str:
    """Return a time as text that sorts, to the microsecond."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def terms_of(demand: MarketplaceDemand) -> Terms:
    """Return a demand's rules for the auction's arithmetic."""
    return Terms(
        budget=demand.budget_hour, weights=Weights(**demand.weights), reserve=demand.reserve_hour,
        second_score=demand.auction == AuctionFormat.SECOND_SCORE,
    )  # fmt: skip


def make_room(demand: MarketplaceDemand, bid: MarketplaceBid, *, actor: str) -> None:
    """Reject the worst bid of a full book if the new one beats it by a hundredth of its score. Raises BookFull."""
    standing = list(demand.bids.standing().order_by("pk"))
    if len(standing) < params.get("market.order_max_bids"):
        return
    terms = terms_of(demand)
    worst = auction.clear(map(auction_bid, standing), terms).ranking[-1].bid
    if not auction.beats(auction_bid(bid), worst, terms):
        raise BookFull(f"It takes {len(standing)} bids; a new one beats the worst of them by 1 % of its score.")
    ids = [other.pk for other in standing if str(other.pk) == worst.id]
    advance_many(MarketplaceBid, ids, BidState.REJECTED, actor=actor, reason="pushed out by a better bid")
    demands.release_bonds(ids)


def withdraw(*, bid: MarketplaceBid, actor: str) -> MarketplaceBid:
    """Take a bid back before the auction closes and return it; its bond is released.

    Raises DemandNotOpen, StateConflict.
    """
    with atomic(MarketplaceDemand):
        demand = demands.locked(bid.demand_id)
        row = MarketplaceBid.objects.locked().get(pk=bid.pk)
        if not row.is_final:
            require_open(demand, clock.now())
        row.advance(BidState.WITHDRAWN, actor=actor, reason="withdrawn")
        demands.release_bonds([row.pk])
    return MarketplaceBid.objects.get(pk=bid.pk)


def confirm(events: Sequence[BondHeld]) -> None:
    """Open the bids whose bond is set aside; those that ended meanwhile have had their bond released."""
    ids = [UUID(event.bond_id) for event in events]
    advance_many(
        MarketplaceBid, ids, BidState.OPEN, actor="system:bonds", reason="bond held", sources=[BidState.PENDING]
    )


def refuse(events: Sequence[BondRefused]) -> None:
    """Reject the bids whose bond could not be set aside."""
    ids = [UUID(event.bond_id) for event in events]
    with atomic(MarketplaceBid):
        advance_many(
            MarketplaceBid, ids, BidState.REJECTED, actor="system:bonds", reason="its bond could not be set aside",
            sources=[BidState.PENDING],
        )  # fmt: skip
        MarketplaceBid.objects.filter(pk__in=ids).update(bond_ended=True)


def expire(now: datetime, *, limit: int = 500) -> int:
    """End bids whose own time is over and release their bonds; return how many."""
    with atomic(MarketplaceBid):
        late = MarketplaceBid.objects.standing().filter(expires_at__lte=now).order_by("pk")
        ids = advance_many(
            MarketplaceBid, late.values_list("pk", flat=True)[:limit], BidState.EXPIRED, actor=SWEEP,
            reason="it had expired",
        )  # fmt: skip
        demands.release_bonds(ids)
    return len(ids)


def request_bonds_again(before: datetime, *, limit: int = 500) -> int:
    """Request the bonds once more that trading has not answered about; return how many. The same id never holds
    twice, and a request that is still in the outbox, be it as a dead letter, is not repeated."""
    with atomic(MarketplaceBid):
        waiting = MarketplaceBid.objects.filter(state=BidState.PENDING, bond_ended=False, created_at__lt=before)
        found = list(waiting.exclude(Outbox.objects.about("trading")).order_by("pk")[:limit])
        emit(
            *(BondRequested(bond_id=str(b.pk), owner_id=str(b.bidder_id), amount=b.bond) for b in found),
            by="marketplace",
        )  # fmt: skip
    return len(found)
