"""Free slots and the next free moment, over half-open spans of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

Span = tuple[datetime, datetime]
S = TypeVar("S")


def is_free(busy: Sequence[Span], start: datetime, end: datetime) -> bool:
    """Return whether no busy span overlaps [start, end)."""
    return all(until <= start or end <= since for since, until in busy)


def free_slots(busy: Mapping[S, Sequence[Span]], start: datetime, end: datetime) -> list[S]:
    """Return the slots that are free in [start, end), in the order of `busy`."""
    return [slot for slot, spans in busy.items() if is_free(spans, start, end)]


def next_free(
    busy: Mapping[S, Sequence[Span]], count: int, duration: timedelta, after: datetime, until: datetime | None = None
) -> datetime | None:
    """Return the earliest moment from `after` on at which `count` slots are free for `duration`; None when none is by
    `until`.

    Only moments at which a span ends can be the answer: before those nothing becomes free.
    """
    ends = {end for spans in busy.values() for _, end in spans if end > after}
    for start in (after, *sorted(ends)):
        if until is not None and start + duration > until:
            return None
        if len(free_slots(busy, start, start + duration)) >= count:
            return start
    return None
