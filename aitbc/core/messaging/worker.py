"""The resident relay: wakes on a datagram, looks by itself every second, survives the loss of any database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.db import Error, connections

from aitbc.core import pubsub
from aitbc.core.messaging import pairs
from aitbc.core.messaging.relay import BATCH, ConsumerDown, park, relay_pair

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
PARK_SECONDS = 60.0
GATHER_SECONDS = 0.003
# Where rows come faster than that, a batch costs little more with three times as many of them.
BUSY_ROWS, BUSY_GATHER_SECONDS = 3, 0.010
LONGEST_REST = 10.0


class ResidentRelay:
    """One loop over all pairs of domains: `stop` is called between batches, `on_round` once all had their turn."""

    def __init__(self, stop: Callable[[], bool], *, on_round: Callable[[], None] = lambda: None) -> None:
        self.stop = stop
        self.on_round = on_round
        self.listener = pubsub.Listener(pubsub.RELAY)
        self.resting: dict[tuple[str, str], float] = {}
        self.parked_at = time.monotonic()

    def run(self) -> None:
        dirty: set[str] | None = None  # None = all sources
        polled = 0.0
        while not self.stop():
            moved = self.round(dirty)
            if moved and moved < BATCH // 4:
                # a few more rows make a far cheaper batch
                time.sleep(GATHER_SECONDS if moved < BUSY_ROWS else BUSY_GATHER_SECONDS)
            topics = self.listener.topics() if moved else self.listener.wait(POLL_SECONDS)
            dirty = {topic.partition(":")[2] for topic in topics if topic.startswith(pubsub.RELAY)}
            if time.monotonic() - polled > POLL_SECONDS:
                dirty, polled = None, time.monotonic()
                self.on_round()
        self.listener.close()

    def round(self, dirty: set[str] | None) -> int:
        """One batch for each pair whose source was woken; returns the largest number of rows moved for a pair."""
        most = 0
        for source, consumer in pairs():
            if dirty is not None and source not in dirty:
                continue
            most = max(most, self.carry(source, consumer))
        self.park_sometimes()
        return most

    def carry(self, source: str, consumer: str) -> int:
        """Empty one pair as far as it goes; a pair whose database is down rests three times what that cost."""
        now = time.monotonic()
        if self.resting.get((source, consumer), 0) > now:
            return 0
        moved = total = 0
        try:
            while not self.stop():
                moved = relay_pair(source, consumer)
                total += moved
                if moved < BATCH // 2:
                    break
        except (ConsumerDown, Error) as error:
            log.warning("relay: %s → %s rests: %s", source, consumer, error)
            lost = time.monotonic() - now  # a database that is silent, not gone, must not hold up the other pairs
            self.resting[source, consumer] = time.monotonic() + min(max(1.0, 3 * lost), LONGEST_REST)
            for alias in (source, consumer):
                connections[alias].close_if_unusable_or_obsolete()
        return total

    def park_sometimes(self) -> None:
        if time.monotonic() - self.parked_at < PARK_SECONDS:
            return
        self.parked_at = time.monotonic()
        for source in sorted({source for source, _ in pairs()}):
            try:
                park(source)
            except Error as error:
                log.warning("relay: could not park the followers of %s: %s", source, error)
