"""What GPUs are offered for, as this process last read it: the base of price ceilings."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from aitbc.core import params
from aitbc.core.db import cursor
from apps.gpu.logic.market_rates import Kind, MarketRate, OwnerRate, kind_of, market_rate
from apps.gpu.models import Miner

REREAD_SECONDS = 30.0
MOST_KINDS = 1000

LOWEST = """WITH online AS (
  SELECT owner_id::text, least(coalesce(price, %(reference)s::bigint), %(most)s::bigint) AS rate, offer
  FROM gpu_miner WHERE state = 'online'
)
SELECT owner_id, NULL, 0, min(rate) FROM online GROUP BY owner_id
UNION ALL
SELECT owner_id, gpu ->> 'name', coalesce((gpu ->> 'memory_mb')::bigint, 0), min(rate)
FROM online CROSS JOIN LATERAL jsonb_array_elements(offer -> 'gpus') AS gpu GROUP BY 1, 2, 3"""


class MarketRates:
    """The rates of all owners, and the median of each kind that was looked up since they were read."""

    def __init__(self) -> None:
        self.rates: list[OwnerRate] = []
        self.medians: dict[Kind, MarketRate | None] = {}
        self.read_at = float("-inf")
        self.lock = threading.Lock()

    def of(self, requirement: Mapping[str, Any]) -> MarketRate | None:
        """Return the market's rate for what a job requires; reads the database at most once in REREAD_SECONDS."""
        self._refresh()
        kind, medians = kind_of(requirement), self.medians
        if kind not in medians:
            if len(medians) >= MOST_KINDS:
                medians.clear()
            medians[kind] = market_rate(self.rates, kind)
        return medians.get(kind)

    def forget(self) -> None:
        """Start empty, as a new process does."""
        self.rates, self.medians, self.read_at = [], {}, float("-inf")

    def _refresh(self) -> None:
        """Read the rates anew when they are old; meanwhile other threads use the previous ones."""
        if time.monotonic() - self.read_at < REREAD_SECONDS or not self.lock.acquire(blocking=not self.rates):
            return
        try:
            if time.monotonic() - self.read_at < REREAD_SECONDS:
                return
            self.read_at = time.monotonic()  # also of a read that fails: the next one is not at once
            with cursor(Miner) as sql:
                sql.execute(
                    LOWEST, {"reference": params.get("jobs.reference_rate"), "most": params.get("miner.max_price")}
                )
                self.rates, self.medians = [OwnerRate(*row) for row in sql.fetchall()], {}
        finally:
            self.lock.release()


MARKET_RATES = MarketRates()
