"""The next free moment against brute force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.marketplace.logic import calendars

pytestmark = pytest.mark.no_db


START = datetime(2026, 1, 1, tzinfo=UTC)


minutes = st.integers(0, 60)


calendar = st.dictionaries(st.integers(0, 3), st.lists(st.tuples(minutes, st.integers(1, 20)), max_size=5), min_size=1)


def when(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


@settings(deadline=None)
@given(taken=calendar, count=st.integers(1, 4), length=st.integers(1, 30), after=minutes, until=st.none() | minutes)
def test_the_next_free_moment_is_the_first_there_is(taken, count, length, after, until):
    busy = {slot: [(when(a), when(a + n)) for a, n in spans] for slot, spans in taken.items()}

    found = calendars.next_free(
        busy, count, timedelta(minutes=length), when(after), None if until is None else when(until)
    )

    def free(slot, start):
        return all(a + n <= start or start + length <= a for a, n in taken[slot])

    last = 200 if until is None else until - length
    first = next((m for m in range(after, last + 1) if sum(free(slot, m) for slot in taken) >= count), None)
    assert found == (None if first is None else when(first))
