"""Recording prices: of trades when a booking becomes active, and of asks once an hour."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from aitbc.core.db import atomic, cursor
from apps.marketplace.models import GPUBooking, PriceTick

#: An hour's asks carry the hour as their time, so that two sweeps write them once.
ASKS = """
INSERT INTO marketplace_pricetick (source, gpu_model, region, kind, provider_id, price_gpu_hour, gpus, ref, at)
SELECT 'ask', gpu_model, region, kind, provider_id, price_gpu_hour, gpu_count, id, %s
FROM marketplace_marketplaceoffer WHERE state = 'open' AND rentable
ON CONFLICT DO NOTHING
"""


def record_trades(bookings: Iterable[GPUBooking]) -> None:
    """Note the price of bookings that became active, in the transaction that makes them so."""
    ticks = [tick_of(booking) for booking in bookings]
    with atomic(PriceTick):
        PriceTick.objects.bulk_create(ticks, ignore_conflicts=True)


def tick_of(booking: GPUBooking) -> PriceTick:
    """Return the price of an active booking as a tick; all of it follows from the booking (M6)."""
    assert booking.activated_at is not None
    return PriceTick(
        source=PriceTick.Source.TRADE,
        gpu_model=booking.gpu_model,
        region=booking.region,
        kind=booking.kind,
        provider_id=booking.provider_id,
        price_gpu_hour=booking.price_gpu_hour,
        gpus=booking.gpu_count,
        ref=booking.pk,
        at=booking.activated_at,
    )


def record_asks(*, now: datetime) -> int:
    """Note what open offers ask this hour; returns how many ticks were new."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    with atomic(PriceTick), cursor(PriceTick) as sql:
        sql.execute(ASKS, [hour])
        return int(sql.rowcount)
