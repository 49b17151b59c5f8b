"""Invariants of prices: every tick follows from a booking (M6)."""

from __future__ import annotations

from collections.abc import Iterable

from aitbc.core.db import cursor
from aitbc.core.invariants import invariant
from apps.marketplace.models import PriceTick

UNLIKE = """
SELECT b.id, t.id IS NULL FROM marketplace_gpubooking b
FULL JOIN marketplace_pricetick t ON t.ref = b.id AND t.source = 'trade'
WHERE (t.source IS NULL OR t.source = 'trade') AND (b.activated_at IS NOT NULL OR t.id IS NOT NULL)
  AND (t.gpu_model, t.region, t.kind, t.provider_id, t.price_gpu_hour, t.gpus::int, t.at)
    IS DISTINCT FROM (b.gpu_model, b.region, b.kind, b.provider_id, b.price_gpu_hour, b.gpu_count::int, b.activated_at)
LIMIT 100
"""


@invariant("M6", db="marketplace")
def prices_follow_from_bookings() -> Iterable[str]:
    """Every booking that became active left the one tick that can be made from it again; no tick is without one."""
    with cursor(PriceTick) as sql:
        sql.execute(UNLIKE)
        for booking_id, missing in sql.fetchall():
            what = "has no price tick" if missing else "and its price tick disagree"
            yield f"booking {booking_id or 'unknown'} {what}"
