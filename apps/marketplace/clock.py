"""What time it is for bookings: the database's clock, in whole milliseconds, as meters count."""

from __future__ import annotations

from datetime import datetime, timedelta

from aitbc.core.db import cursor
from apps.marketplace.models import GPUBooking

MILLISECOND = timedelta(milliseconds=1)


def now() -> datetime:
    with cursor(GPUBooking) as sql:
        sql.execute("SELECT clock_timestamp()")
        moment: datetime = sql.fetchone()[0]
    return whole_ms(moment)


def whole_ms(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def ms_between(start: datetime, end: datetime) -> int:
    """Whole milliseconds from start to end; 0 when end is not later."""
    return max(0, (end - start) // MILLISECOND)
