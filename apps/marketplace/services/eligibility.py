"""Whether an offer can serve a demand: what it is, when and to whom it is let, and what both sides' constraints say.

Every reason against it is given in words: they are part of an award's proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from aitbc.core.money import format_amount
from apps.marketplace.constraints import evaluation
from apps.marketplace.models import MarketplaceBid, MarketplaceDemand, MarketplaceOffer
from apps.marketplace.search.oracle import matches
from apps.marketplace.search.terms import Term, read
from apps.marketplace.services import constraint_facts
from apps.marketplace.states import BidState, OfferState

#: Words before a model that people leave out.
MAKERS = frozenset({"nvidia", "amd", "intel", "geforce", "radeon", "tesla"})


@dataclass(frozen=True)
class Circumstances:
    """What does not change from offer to offer: the demand, its renter, the moment."""

    demand: MarketplaceDemand
    renter: constraint_facts.RenterFacts
    at: datetime

    @classmethod
    def of(cls, demand: MarketplaceDemand, at: datetime) -> Circumstances:
        return cls(demand, constraint_facts.renter_facts(demand.renter_id), at)


def check_requirements(filter_text: str, constraint: str) -> None:
    """Raise FilterInvalid or ConstraintInvalid unless a demand's filter and constraint can be used."""
    read(filter_text)
    evaluation.check(constraint, evaluation.DEMAND_SIDE)


def refusals(demand: MarketplaceDemand, offer: MarketplaceOffer, at: datetime) -> list[str]:
    """Return why this offer cannot serve this demand at that moment; an empty list when it can."""
    provider = constraint_facts.provider_facts([offer.provider_id])[offer.provider_id]
    return list(_against(Circumstances.of(demand, at), offer, provider))


def verdicts(demand: MarketplaceDemand, bids: Iterable[MarketplaceBid], at: datetime) -> dict[UUID, str]:
    """Return for each bid (with its offer) why it does not count, or ""."""
    found = list(bids)
    circumstances = Circumstances.of(demand, at)
    providers = constraint_facts.provider_facts({bid.bidder_id for bid in found})
    return {bid.pk: "; ".join(_bid_against(circumstances, bid, providers[bid.bidder_id]))[:500] for bid in found}


def _bid_against(
    circumstances: Circumstances, bid: MarketplaceBid, provider: constraint_facts.ProviderFacts
) -> Iterator[str]:
    if bid.state == BidState.PENDING:
        yield "its bond was not set aside in time"
    if bid.expires_at is not None and bid.expires_at <= circumstances.at:
        yield "it had expired"
    if not 0 < bid.price_hour <= circumstances.demand.budget_hour:
        yield f"its price is not within the budget of {format_amount(circumstances.demand.budget_hour)} AIT per hour"
    yield from _against(circumstances, bid.offer, provider)


def _against(
    circumstances: Circumstances, offer: MarketplaceOffer, provider: constraint_facts.ProviderFacts
) -> Iterator[str]:
    yield from _gpus_against(circumstances.demand, offer)
    yield from _time_against(circumstances, offer)
    yield from _constraints_against(circumstances, offer, provider)


def _gpus_against(demand: MarketplaceDemand, offer: MarketplaceOffer) -> Iterator[str]:
    if offer.gpu_count < demand.gpu_count:
        yield f"it has {offer.gpu_count} GPUs and {demand.gpu_count} are wanted"
    if demand.gpu_models and not any(same_model(model, offer) for model in demand.gpu_models):
        yield f"its {offer.gpu_model or 'unknown GPU'} is none of {', '.join(demand.gpu_models)}"
    if offer.memory_mb < demand.min_memory_mb:
        yield f"it has {offer.memory_mb} MB of memory and {demand.min_memory_mb} are wanted"
    if demand.region and not in_region(offer.region, demand.region):
        yield f"it is in {offer.region or 'no named region'} and {demand.region} is wanted"


def _time_against(circumstances: Circumstances, offer: MarketplaceOffer) -> Iterator[str]:
    seconds, ends = (
        circumstances.demand.duration_s,
        circumstances.at + timedelta(seconds=circumstances.demand.duration_s),
    )
    if offer.state != OfferState.OPEN:
        yield f"it is {offer.get_state_display().lower()}"
    if offer.backed and not offer.rentable:
        yield "its cards cannot be reached"
    if not offer.min_duration_s <= seconds <= offer.max_duration_s:
        yield f"it is let for {offer.min_duration_s} to {offer.max_duration_s} seconds and {seconds} are wanted"
    if offer.available_until is not None and ends > offer.available_until:
        yield "its time is over before the demand's"
    if offer.available_from > circumstances.at:
        yield "its time has not come"


def _constraints_against(
    circumstances: Circumstances, offer: MarketplaceOffer, provider: constraint_facts.ProviderFacts
) -> Iterator[str]:
    demand = circumstances.demand
    if demand.filter and not matches(filter_terms(demand.filter), offer):
        yield "it is not what the demand's filter asks for"
    of_demand = evaluation.verdict(
        demand.constraints, {"offer": constraint_facts.offer_facts(offer), "provider": provider}
    )
    if not of_demand.admits:
        yield f"the demand: {of_demand.reason}"
    of_offer = evaluation.verdict(
        offer.constraints, {"renter": circumstances.renter, "demand": constraint_facts.demand_facts(demand)}
    )
    if not of_offer.admits:
        yield f"the offer: {of_offer.reason}"


@lru_cache(maxsize=256)
def filter_terms(filter_text: str) -> tuple[Term, ...]:
    """Return a demand's filter as terms, parsed once for all its bids."""
    return tuple(read(filter_text))


def same_model(requested: str, offer: MarketplaceOffer) -> bool:
    """Return whether an offer's GPU goes by this name; makers' names, case and underscores do not matter."""
    return bool(requested) and folded(requested) in (folded(offer.gpu_model), folded(offer.gpu_name))


def folded(model: str) -> str:
    """Return a model's name in lower case, without its maker, underscores as spaces."""
    return " ".join(word for word in model.lower().replace("_", " ").split() if word not in MAKERS)


def in_region(place: str, requested: str) -> bool:
    """Return whether a place lies in a region: eu-de lies in eu-de and in eu (ISO 3166-2, and names that clients make
    up)."""
    here, there = place.casefold(), requested.casefold()
    return here == there or here.startswith(f"{there}-")
