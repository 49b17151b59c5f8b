"""Offers over time: they expire, and are booked out while all their slots are taken."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from aitbc.core.db import atomic, cursor
from aitbc.core.states import advance_many
from apps.marketplace.models import MarketplaceOffer
from apps.marketplace.states import OfferState

#: From what is taken at this moment to the offers that have nothing else, and the reverse.
TAKEN = """
WITH taken AS MATERIALIZED (
  SELECT coalesce(array_agg(DISTINCT slot), '{}') AS slots FROM marketplace_bookingslice
  WHERE live AND period @> clock_timestamp())
"""
FULL = f"""{TAKEN} SELECT o.id FROM taken JOIN marketplace_marketplaceoffer o ON o.slots && taken.slots
WHERE o.state = 'open' AND o.slots <@ taken.slots"""
FREE = f"""{TAKEN} SELECT o.id FROM taken, marketplace_marketplaceoffer o
WHERE o.state = 'booked_out' AND NOT o.slots <@ taken.slots"""


def settle() -> int:
    """Set offers to booked out, or back to open, as their slots are taken and freed; return how many changed."""
    with atomic(MarketplaceOffer):
        full, free = _ids(FULL), _ids(FREE)
        moved = advance_many(
            MarketplaceOffer, full, OfferState.BOOKED_OUT, actor="market", reason="every slot is in a booking now",
            sources=[OfferState.OPEN],
        )  # fmt: skip
        moved += advance_many(
            MarketplaceOffer, free, OfferState.OPEN, actor="market", reason="a slot is free again",
            sources=[OfferState.BOOKED_OUT],
        )  # fmt: skip
    return len(moved)


def expire(*, now: datetime, limit: int = 500) -> int:
    """End offers that were available until a moment before `now`; bookings made of them go on. Returns how many
    ended."""
    with atomic(MarketplaceOffer):
        over = (
            MarketplaceOffer.objects.expiring(now)
            .order_by("available_until", "pk")
            .values_list("pk", flat=True)[:limit]
        )
        ended = advance_many(
            MarketplaceOffer, list(over), OfferState.EXPIRED, actor="market", reason="its time is over"
        )
    return len(ended)


def _ids(statement: str) -> list[UUID]:
    with cursor(MarketplaceOffer) as sql:
        sql.execute(statement)
        return [row[0] for row in sql.fetchall()]
