"""Miners as this process last read them, so that an empty poll reads no database.

A changes feed (at most one small read per second and process) takes out what was registered anew, changed its
capabilities or its state elsewhere; a grant checks the row itself, under its lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from aitbc.core.db import cursor
from apps.gpu.logic.job_matching import Candidate
from apps.gpu.models import Miner
from apps.gpu.services.market_rates import MARKET_RATES
from apps.gpu.services.queue_heads import QUEUE_HEADS
from apps.gpu.services.requirement_classes import CATALOGUE

REREAD_SECONDS = 1.0
OVERLAP = timedelta(seconds=10)  # longer than a transaction that sets changed_at may take to commit
MOST = 50_000

Key = tuple[UUID, str, str | None]


@dataclass(frozen=True)
class Known:
    """A miner's row as it was last read."""

    pk: UUID
    owner_id: UUID
    name: str
    state: str
    concurrency: int
    version: int
    attention: int
    changed_at: datetime
    candidate: Candidate


def known_from(miner: Miner) -> Known:
    """Return what polls and grants need of a miner's row."""
    return Known(
        pk=miner.pk,
        owner_id=miner.owner_id,
        name=miner.name,
        state=miner.state,
        concurrency=miner.concurrency,
        version=miner.capability_version,
        attention=miner.attention,
        changed_at=miner.changed_at,
        candidate=miner.candidate(),
    )


class MinerCache:
    """(owner, key, miner id sent) → the miner."""

    def __init__(self) -> None:
        self.known: dict[Key, Known] = {}
        self.read_at = float("-inf")
        self.until: datetime | None = None
        self.lock = threading.Lock()

    def find(self, key: Key) -> Known | None:
        """Return the cached miner, after dropping those whose rows have changed; None when it is not known."""
        self._catch_up()
        return self.known.get(key)

    def put(self, key: Key, miner: Miner) -> Known:
        """Cache a miner and return what is kept of it."""
        if len(self.known) > MOST:
            self.known = {}
        self.known[key] = known = known_from(miner)
        return known

    def drop(self, miner_ids: set[UUID]) -> None:
        """Forget these miners."""
        if miner_ids:
            self._keep(lambda known: known.pk not in miner_ids)

    def forget(self) -> None:
        """Start empty, as a new process does."""
        self.known, self.until, self.read_at = {}, None, float("-inf")

    def _catch_up(self) -> None:
        if time.monotonic() - self.read_at < REREAD_SECONDS or not self.lock.acquire(blocking=False):
            return
        try:
            since, self.until = self.until, _database_now()
            self.read_at = time.monotonic()
            if since is None:
                self.known = {}
                return
            changed = dict(Miner.objects.filter(changed_at__gt=since - OVERLAP).values_list("pk", "changed_at"))
            # The overlap returns most changes several times: rows read after their change stay.
            if changed:
                self._keep(lambda known: changed.get(known.pk, known.changed_at) == known.changed_at)
        finally:
            self.lock.release()

    def _keep(self, good: Callable[[Known], bool]) -> None:
        # copy() holds the interpreter throughout; a list of the items may be interrupted by another thread's put().
        self.known = {key: known for key, known in self.known.copy().items() if good(known)}


def _database_now() -> datetime:
    with cursor(Miner) as sql:
        sql.execute("SELECT clock_timestamp()")
        return sql.fetchone()[0]  # type: ignore[no-any-return]


MINER_CACHE = MinerCache()


def forget() -> None:
    """Empty every cache that this process keeps of the gpu domain: miners, queue heads, requirement classes, rates."""
    CATALOGUE.forget()
    QUEUE_HEADS.forget()
    MINER_CACHE.forget()
    MARKET_RATES.forget()
