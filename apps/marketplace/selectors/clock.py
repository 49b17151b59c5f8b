"""The time by which bookings and auctions are judged: the database's clock."""

from __future__ import annotations

from datetime import datetime

from aitbc.core.db import cursor
from apps.marketplace.logic.durations import whole_ms
from apps.marketplace.models import GPUBooking


def now() -> datetime:
    """Return clock_timestamp() of the marketplace's database (aware UTC), in whole milliseconds."""
    with cursor(GPUBooking) as sql:
        sql.execute("SELECT clock_timestamp()")
        moment: datetime = sql.fetchone()[0]
    return whole_ms(moment)
