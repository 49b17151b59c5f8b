"""Suggested prices, from the market's cells or from demand and supply as a client sees them."""

from __future__ import annotations

from typing import TypedDict
from uuid import UUID

from aitbc.core.errors import NotFound
from aitbc.core.money import UNIT
from apps.marketplace.logic.price_dynamics import priced, stepped
from apps.marketplace.models import MarketplaceOffer, PriceCell


class Suggestion(TypedDict):
    """A suggested price beside the present one, in AIT per GPU and hour, and what it follows from."""

    offer_id: str
    base_price: float
    suggested_price: float
    price_multiplier: float
    supply_demand_ratio: float | None
    utilisation: float | None
    held: bool
    basis: str


def suggest(*, offer_id: str, current_demand: float | None = None, current_supply: float | None = None) -> Suggestion:
    """Return what an offer might ask, in AIT per GPU and hour; nothing is changed. Raises NotFound.

    Demand and supply as stated follow the legacy steps; without them the market's own cell decides.
    """
    offer = _offer(offer_id)
    where = {"gpu_model": offer.gpu_model, "region": offer.region, "kind": offer.kind}
    cell = PriceCell.objects.filter(**where).first()
    stated = current_demand is not None and current_supply is not None
    ratio = (
        current_demand / max(current_supply, 1.0) if current_demand is not None and current_supply is not None else None
    )
    factor = stepped(ratio) if ratio is not None else cell.multiplier if cell else 1.0
    return {
        "offer_id": offer_id,
        "base_price": offer.base_price / UNIT,
        "suggested_price": priced(offer.base_price, factor, offer.floor, offer.ceiling) / UNIT,
        "price_multiplier": factor,
        "supply_demand_ratio": ratio,
        "utilisation": cell.utilisation if cell else None,
        "held": cell.held if cell else True,
        "basis": "given" if stated else "market",
    }


def _offer(named: str) -> MarketplaceOffer:
    """A listed offer by its id, or by the id its client gave it."""
    listed = MarketplaceOffer.objects.listed()
    try:
        found = listed.filter(pk=UUID(named)).first()
    except ValueError:
        found = None
    found = found or listed.filter(external_id=named).order_by("created_at", "pk").first()
    if found is None:
        raise NotFound(f"There is no listed offer {named!r}.")
    return found
