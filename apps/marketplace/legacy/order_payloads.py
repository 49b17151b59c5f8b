"""Offers and demands in the words of legacy clients: the union of what they read (docs/auctions.md).

Rows in, plain items out, no queries. Totals are exact: price × GPUs × hours, rounded down to a micro-AIT.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from aitbc.core.money import MS_PER_HOUR, format_amount
from aitbc.core.signatures import stamp
from apps.marketplace.models import Award, MarketplaceDemand, MarketplaceOffer
from apps.marketplace.states import DemandState, OfferState

GPU, MARKETPLACE = "gpu_marketplace", "marketplace"
OFFER_STATUSES = {
    OfferState.DRAFT: "draft", OfferState.OPEN: "active", OfferState.PAUSED: "paused", OfferState.BOOKED_OUT: "matched",
    OfferState.EXPIRED: "expired", OfferState.WITHDRAWN: "cancelled",
}  # fmt: skip
BID_STATUSES = {
    DemandState.DRAFT: "draft", DemandState.OPEN: "pending", DemandState.CLOSING: "pending",
    DemandState.AWARDED: "matched", DemandState.FULFILLED: "completed", DemandState.FAILED_NO_BIDS: "expired",
    DemandState.CANCELLED: "cancelled", DemandState.EXPIRED: "expired",
}  # fmt: skip
#: Other names of the statuses. A bid that waits is open: clients list `status=active` and expect it.
SYNONYMS = {"open": "active", "available": "active", "accepted": "matched", "booked": "matched", "closed": "cancelled"}
STATUSES = sorted({*OFFER_STATUSES.values(), *BID_STATUSES.values(), *SYNONYMS})
#: The words of `/v1/marketplace/bids`.
LEGACY_BID_STATUSES = {
    "pending": ("pending",),
    "accepted": ("matched", "completed"),
    "rejected": ("cancelled", "expired"),
}
Times = Mapping[UUID, Mapping[str, datetime]]


def offer_states(status: str) -> list[str]:
    """Return the offer states that a legacy status means; none when offers never have it."""
    status = SYNONYMS.get(status, status)
    return [state for state, word in OFFER_STATUSES.items() if word == status]


def bid_states(status: str) -> list[str]:
    status = SYNONYMS.get(status, status)
    return [state for state, word in BID_STATUSES.items() if word == status or (status, word) == ("active", "pending")]


def offer_item(offer: MarketplaceOffer, times: Times) -> dict[str, Any]:
    name, price = offer.external_id or str(offer.pk), format_amount(offer.price_gpu_hour)
    own = {"offer_id": name, "provider": offer.provider_name, "provider_node_id": offer.provider_name}
    return {
        "id": str(offer.pk), "action": "offer", "transaction_id": name, **own, "gpu_count": offer.gpu_count,
        "capacity": offer.gpu_count, "price_per_gpu": price, "price_per_hour": price, "price": price,
        **duration(offer.max_duration_s, offer.price_gpu_hour * offer.gpu_count),
        "status": OFFER_STATUSES[OfferState(offer.state)], "model": offer.gpu_model, "gpu_model": offer.gpu_model,
        "memory_gb": offer.memory_mb // 1024, "gpu_memory_gb": offer.memory_mb // 1024, "region": offer.region,
        "miner_id": str(offer.miner_id) if offer.miner_id else offer.provider_name, "specs": offer.attributes,
        "island_id": offer.attributes.get("island_id"), "description": offer.description,
        "created_at": stamp(offer.created_at), "accepted_at": None,
        "cancelled_at": at(times, offer.pk, OfferState.WITHDRAWN),
    }  # fmt: skip


def bid_item(demand: MarketplaceDemand, times: Times) -> dict[str, Any]:
    name = demand.external_id or str(demand.pk)
    each = format_amount(demand.budget_hour // demand.gpu_count)
    spent = duration(demand.duration_s, demand.budget_hour)
    return {
        "id": str(demand.pk), "action": "bid", "transaction_id": name, "bid_id": name, "provider": demand.renter_name,
        "bidder_node_id": demand.renter_name, "gpu_count": demand.gpu_count, "capacity": demand.gpu_count,
        "max_price_per_gpu": each, "price_per_gpu": each, "price": each, **spent,
        "max_total_price": spent["total_price"], "status": BID_STATUSES[DemandState(demand.state)],
        "model": demand.gpu_models[0] if demand.gpu_models else "", "memory_gb": demand.min_memory_mb // 1024,
        "region": demand.region, "specs": demand.specs, "island_id": demand.specs.get("island_id"),
        "description": demand.title, "notes": demand.title, "created_at": stamp(demand.created_at),
        "submitted_at": stamp(demand.created_at), "accepted_at": at(times, demand.pk, DemandState.AWARDED),
        "cancelled_at": at(times, demand.pk, DemandState.CANCELLED),
    }  # fmt: skip


def match_item(award: Award) -> dict[str, Any]:
    """A match, from the award it is."""
    demand, offer = award.demand, award.bid.offer
    each = format_amount(award.price_hour // demand.gpu_count)
    return {
        "id": str(award.pk), "action": "match", "transaction_id": str(award.booking_id),
        "booking_id": str(award.booking_id), "bid_id": demand.external_id or str(demand.pk),
        "offer_id": offer.external_id or str(offer.pk), "bidder_node_id": demand.renter_name,
        "provider_node_id": offer.provider_name, "gpu_count": demand.gpu_count, "matched_price": each,
        "price_per_gpu": each, **duration(demand.duration_s, award.price_hour), "status": "matched",
        "matched_at": stamp(award.created_at), "created_at": stamp(award.created_at),
    }  # fmt: skip


def legacy_bid(demand: MarketplaceDemand) -> dict[str, Any]:
    """A bid as `/v1/marketplace/bids` shows it."""
    word = BID_STATUSES[DemandState(demand.state)]
    status = next((legacy_status for legacy_status, words in LEGACY_BID_STATUSES.items() if word in words), "pending")
    return {
        "id": str(demand.pk), "provider": demand.renter_name, "capacity": demand.gpu_count,
        "price": format_amount(demand.budget_hour // demand.gpu_count), "notes": demand.title, "status": status,
        "submitted_at": stamp(demand.created_at),
    }  # fmt: skip


def duration(seconds: int, rate: int) -> dict[str, Any]:
    """Hours (whole where they are), and what so long costs at a rate in micro-AIT per hour."""
    hours = seconds // 3600 if seconds % 3600 == 0 else round(seconds / 3600, 6)
    return {"duration_hours": hours, "total_price": format_amount(rate * seconds * 1000 // MS_PER_HOUR)}


def at(times: Times, pk: UUID, state: str) -> str | None:
    moment = times.get(pk, {}).get(str(state))
    return stamp(moment) if moment else None
