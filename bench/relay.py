"""Messages per second through the relay: claim, hand over in batches, effect and inbox committed, outbox emptied."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connections

from aitbc.core.db import atomic
from aitbc.core.messaging import HANDLERS, Event, emit, subscribe
from aitbc.core.messaging.relay import relay_pair
from apps.marketplace.models import Outbox
from bench.report import Measurement

MESSAGES = 40_000
KEYS = 10_000


@dataclass(frozen=True, kw_only=True)
class Ticked(Event):
    NAME = "marketplace.bench.ticked.v1"
    KEY = "clock"
    clock: str
    n: int


def on_ticks(events: Sequence[Ticked]) -> None:
    """A set-based effect: one row an event."""
    with connections["governance"].cursor() as sql:
        sql.execute(
            "INSERT INTO bench_tick SELECT * FROM unnest(%s::text[], %s::int[])",
            [[e.clock for e in events], [e.n for e in events]],
        )


def bare() -> float:
    """Rows a second of the same effect alone: 200 rows a transaction."""
    events = [Ticked(clock=f"c{n}", n=n) for n in range(200)]
    started = time.perf_counter()
    for _ in range(MESSAGES // 200 // 4):
        on_ticks(events)
    return MESSAGES / 4 / (time.perf_counter() - started)


def delivered() -> float:
    """Messages a second, from a full outbox until it is empty."""
    for start in range(0, MESSAGES, 1000):
        with atomic(Outbox):
            emit(*(Ticked(clock=f"c{n % KEYS}", n=n) for n in range(start, start + 1000)), by="marketplace")
    started = time.perf_counter()
    count = 0
    while step := relay_pair("marketplace", "governance"):
        count += step
    seconds = time.perf_counter() - started
    with connections["governance"].cursor() as sql:
        sql.execute("SELECT count(*) FROM bench_tick")
        arrived = sql.fetchone()[0]
    if count != MESSAGES or arrived != MESSAGES:
        raise AssertionError(f"{count} messages relayed and {arrived} of {MESSAGES} arrived")
    return count / seconds


def run() -> Iterator[Measurement]:
    with connections["governance"].cursor() as sql:
        sql.execute("CREATE TABLE IF NOT EXISTS bench_tick (clock text, n int)")
    subscribe(Ticked, by="governance")(on_ticks)
    try:
        rows = bare()
        with connections["governance"].cursor() as sql:
            sql.execute("TRUNCATE bench_tick")
        rate = delivered()
        note = "each a row there, its inbox row, its outbox row gone; one relay process"
        yield Measurement("relay", rate, "messages/s", ">= 5000", note)
        yield Measurement("relay ÷ the rows alone", 100 * rate / rows, "%", "", f"bare insert: {rows:,.0f} rows/s")
    finally:
        HANDLERS.pop((Ticked.NAME, "governance"))
        with connections["governance"].cursor() as sql:
            sql.execute("DROP TABLE bench_tick")
