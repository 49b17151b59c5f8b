"""Legacy orders: offers and bids for GPUs that clients match themselves, over our offers and demands.

Ids that clients make up are kept as external ids; an order is found by ours or by theirs. A match is the award of a
standing demand, so it happens once; asking for the same match again is answered with the same match.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypedDict, TypeVar
from uuid import UUID

from django.db.models import Case, Model, Q, QuerySet, Value, When

from aitbc.core.errors import Conflict
from apps.marketplace.errors import BidUnfit, NotAParty, OrderInvalid, OrderMatched, OrderNotFound
from apps.marketplace.logic.award_proof import ACCEPT, MATCH
from apps.marketplace.models import Award, MarketplaceDemand, MarketplaceOffer
from apps.marketplace.services import auction_clearing, demands, offers
from apps.marketplace.states import OfferState

Order = MarketplaceOffer | MarketplaceDemand
M = TypeVar("M", bound=Model)
#: Legacy orders name a price and nothing else that would decide.
PRICE_ONLY = {"price": 10_000, "quality": 0, "reliability": 0}
HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class OrderTerms:
    """An offer or a bid as a legacy client describes it; `price` is micro-AIT per GPU and hour."""

    price: int
    count: int = 1
    seconds: int = HOUR
    external_id: str = ""
    name: str = ""
    specs: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    island: str = ""

    @property
    def attributes(self) -> dict[str, Any]:
        """The description as the client wrote it, with its island."""
        return {**self.specs, **({"island_id": self.island} if self.island else {})}


def offer(*, owner_id: UUID, actor: str, terms: OrderTerms) -> MarketplaceOffer:
    """Offer described GPUs at a price per GPU and hour, for bookings of up to `terms.seconds`; returns the offer.

    Raises OfferInvalid, OfferTaken.
    """
    return offers.create(
        provider_id=owner_id, actor=actor, external_id=terms.external_id, provider_name=terms.name,
        price_gpu_hour=terms.price, max_duration_s=terms.seconds, min_duration_s=min(60, terms.seconds),
        description=terms.description, attributes=terms.attributes,
        specs={**described(terms.specs), "gpu_count": terms.count},
    )  # fmt: skip


def bid(*, owner_id: UUID, actor: str, terms: OrderTerms) -> MarketplaceDemand:
    """Demand GPUs at no more than a price per GPU and hour, until matched or cancelled; returns the demand.

    Raises DemandInvalid, DemandTaken.
    """
    known = described(terms.specs)
    return demands.create(
        renter_id=owner_id, actor=actor, external_id=terms.external_id, renter_name=terms.name,
        title=terms.description[:200], gpu_count=terms.count, budget_hour=terms.price * terms.count,
        duration_s=terms.seconds, weights=PRICE_ONLY, gpu_models=[known["gpu_model"]] if known.get("gpu_model") else [],
        region=known.get("region", ""), min_memory_mb=known.get("memory_mb", 0), specs=terms.attributes,
    )  # fmt: skip


class KnownSpecs(TypedDict, total=False):
    gpu_model: str
    memory_mb: int
    region: str


def described(specs: Mapping[str, Any]) -> KnownSpecs:
    """Return what a client's free description says in known terms: gpu_model, memory_mb, region; the rest is left
    out."""
    model = next((specs[name] for name in ("gpu_model", "model", "name") if isinstance(specs.get(name), str)), "")
    memory = next((specs[name] for name in ("memory_gb", "gpu_memory_gb", "vram_gb") if is_size(specs.get(name))), 0)
    region = specs.get("region")
    known = KnownSpecs()
    if model:
        known["gpu_model"] = model[:120]
    if memory:
        known["memory_mb"] = int(float(memory) * 1024)
    if region and isinstance(region, str):
        known["region"] = region[:64]
    return known


def is_size(value: Any) -> bool:
    """Return whether a value is a plausible number of gigabytes."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 100_000


def cancel(*, owner_id: UUID, actor: str, ref: str) -> Order:
    """Withdraw one's offer or bid and return it. Raises OrderNotFound, StateConflict when it is over already."""
    found: Order | None = find_order(MarketplaceOffer.objects.filter(provider_id=owner_id), ref)
    if isinstance(found, MarketplaceOffer):
        return offers.withdraw(offer=found, actor=actor, reason="cancelled")
    found = find_order(MarketplaceDemand.objects.filter(renter_id=owner_id), ref)
    if found is None:
        raise OrderNotFound(f"You have no order {ref[:100]}.")
    return demands.cancel(demand=found, actor=actor)


def accept(*, owner_id: UUID, actor: str, bid_ref: str, offer_ref: str = "") -> Award:
    """Take a bid at its own price, with the provider's named offer or else its cheapest that fits; returns the award.

    Raises OrderNotFound, OrderInvalid, OrderMatched, BidUnfit, and whatever a booking may be refused with.
    """
    target = get_order(own_first(MarketplaceDemand.objects.published(), "renter_id", owner_id), bid_ref, "bid")
    done = existing_award(target, lambda award: award.bid.bidder_id == owner_id)
    if done is not None:
        return done
    own = MarketplaceOffer.objects.owned_by(owner_id)
    if offer_ref:
        return award_match(target, get_order(own, offer_ref, "offer"), target.budget_hour, ACCEPT, actor)
    reasons: list[str] = []
    for one in own.open().filter(gpu_count__gte=target.gpu_count).order_by("price_gpu_hour", "pk")[:20]:
        if one.price_gpu_hour * target.gpu_count > target.budget_hour:
            break
        try:
            return award_match(target, one, target.budget_hour, ACCEPT, actor)
        except BidUnfit as error:
            reasons.append(f"{one.external_id or one.pk}: {error.detail}")
    raise BidUnfit(reasons or ["you have no open offer that is as large and not dearer; post one first"])


def match(*, owner_id: UUID, operator: bool, actor: str, bid_ref: str, offer_ref: str) -> Award:
    """Award a bid to an offer at the offer's price, for one of their owners or an operator; returns the award.

    Raises OrderNotFound, OrderInvalid, NotAParty, OrderMatched, BidUnfit, and whatever a booking may be refused with.
    """
    target = get_order(own_first(MarketplaceDemand.objects.published(), "renter_id", owner_id), bid_ref, "bid")
    one = get_order(own_first(MarketplaceOffer.objects.all(), "provider_id", owner_id), offer_ref, "offer")
    if not operator and owner_id not in (target.renter_id, one.provider_id):
        raise NotAParty("Neither the bid nor the offer is yours.")
    done = existing_award(target, lambda award: award.bid.offer_id == one.pk)
    return done or award_match(target, one, one.price_gpu_hour * target.gpu_count, MATCH, actor)


def award_match(target: MarketplaceDemand, one: MarketplaceOffer, price_hour: int, mode: str, actor: str) -> Award:
    """Return the award of this match; when another request made the very same match first, its award."""
    if one.state == OfferState.BOOKED_OUT:
        raise OrderMatched(f"The offer {one.external_id or one.pk} is matched already.", state=one.state, allowed=[])
    try:
        return auction_clearing.match(demand=target, offer=one, price_hour=price_hour, actor=actor, mode=mode)
    except Conflict:
        target.refresh_from_db()
        done = existing_award(target, lambda award: award.bid.offer_id == one.pk)
        if done is None:
            raise
        return done


def existing_award(target: MarketplaceDemand, same: Any) -> Award | None:
    """Return the award of a demand that has one, if it is the same match. Raises OrderMatched if it is another."""
    award = Award.objects.select_related("bid__offer", "demand").filter(demand=target).first()
    if award is not None and not same(award):
        raise OrderMatched(
            f"The bid {target.external_id or target.pk} is matched with another offer.", state=target.state, allowed=[]
        )
    return award


def own_first(orders: QuerySet[M], column: str, owner_id: UUID) -> Any:
    """Return the orders with one's own first, where several owners use one name."""
    mine = Case(When(**{column: owner_id}, then=Value(1)), default=Value(0))
    return orders.annotate(mine=mine).order_by("-mine", "pk")


def get_order(orders: QuerySet[M], ref: str, what: str) -> M:
    """Return the order of this id. Raises OrderNotFound, OrderInvalid."""
    one = find_order(orders, ref)
    if one is None:
        raise OrderNotFound(f"There is no {what} {ref[:100]}.")
    return one


def find_order(orders: QuerySet[M], ref: str) -> M | None:
    """Return the order of our id or the client's, or None. Raises OrderInvalid when a client's id could mean
    several."""
    target = Q(external_id=ref)
    with suppress(ValueError):
        target |= Q(pk=UUID(ref))
    rows = list(orders.filter(target)[:2]) if ref else []
    if len(rows) == 2 and not getattr(rows[0], "mine", False):
        raise OrderInvalid(f"Several orders are called {ref[:100]}; name it by the exchange's id.")
    return rows[0] if rows else None
