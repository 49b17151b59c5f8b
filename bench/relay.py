"""Messages per second through the relay: claim, hand over in batches, effect and inbox committed, outbox emptied."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connections

from aitbc.core.db import atomic
from aitbc.core.messaging import Event, emit, subscribe
from aitbc.core.messaging.relay import relay_pair
from apps.marketplace.models import Outbox
from bench.report import Figure

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


def run() -> Iterator[Figure]:
    with connections["governance"].cursor() as sql:
        sql.execute("CREATE TABLE IF NOT EXISTS bench_tick (clock text, n int)")
        sql.execute("TRUNCATE bench_tick")
    subscribe(Ticked, by="governance")(on_ticks)
    for start in range(0, MESSAGES, 1000):
        with atomic(Outbox):
            emit(*(Ticked(clock=f"c{n % KEYS}", n=n) for n in range(start, start + 1000)), by="marketplace")
    started = time.perf_counter()
    moved = 0
    while step := relay_pair("marketplace", "governance"):
        moved += step
    seconds = time.perf_counter() - started
    if moved != MESSAGES:
        raise AssertionError(f"{moved} of {MESSAGES} messages arrived")
    yield Figure("relay: messages delivered with a row each", moved / seconds, "messages/s", ">= 5000")
