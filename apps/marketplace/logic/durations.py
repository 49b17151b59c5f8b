"""Spans of time in whole milliseconds, as meters count them."""

from __future__ import annotations

from datetime import datetime, timedelta

MILLISECOND = timedelta(milliseconds=1)


def whole_ms(moment: datetime) -> datetime:
    """Return a moment rounded down to the millisecond."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def ms_between(start: datetime, end: datetime) -> int:
    """Return the whole milliseconds from start to end; 0 when end is not later."""
    return max(0, (end - start) // MILLISECOND)
