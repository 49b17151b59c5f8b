"""Reliability of miners and providers, from the evidence noted of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from aitbc.core.db import cursor
from apps.marketplace.logic.reliability_score import HALF_LIFE_DAYS, WEIGHTS, lower_bound
from apps.marketplace.models import Reliability, ReliabilityEvent

WEIGHED = """
SELECT miner_id, provider_id, ok, sum(count * (%(weights)s::jsonb ->> kind)::float8 * 0.5 ^ (greatest(
  0, extract(epoch FROM %(now)s::timestamptz) - extract(epoch FROM at)) / 86400 / %(half_life)s::float8))::float8
FROM marketplace_reliabilityevent WHERE at > %(now)s::timestamptz - interval '1 year' {only} GROUP BY 1, 2, 3
"""


@dataclass(frozen=True)
class Evidence:
    """What a miner (or all of a provider's miners) kept and broke, as weights faded to this moment."""

    kept: float
    broken: float

    @property
    def r(self) -> float:
        """Reliability R, from 0 to 1."""
        return lower_bound(self.kept, self.broken)


NEWCOMER = Evidence(0.0, 0.0)


def score_of(miner_id: UUID | None) -> float:
    """Return a miner's R as last computed; a newcomer's when it has done nothing yet."""
    row = Reliability.objects.filter(pk=miner_id).first() if miner_id else None
    return row.r if row else NEWCOMER.r


def of_provider(provider_id: UUID, *, now: datetime) -> Evidence:
    """Return the evidence of all of a provider's miners together."""
    found = evidence_by_miner(now, only="AND provider_id = %(provider)s::uuid", provider=provider_id)
    return Evidence(sum(e.kept for _, e in found.values()), sum(e.broken for _, e in found.values()))


def evidence_by_miner(now: datetime, *, only: str = "", **values: UUID) -> dict[UUID, tuple[UUID, Evidence]]:
    """Return for each miner its provider and its evidence, weighed at this moment; `only` narrows the SQL."""
    parameters = {"now": now, "weights": orjson.dumps(WEIGHTS).decode(), "half_life": HALF_LIFE_DAYS, **values}
    found: dict[UUID, tuple[UUID, Evidence]] = {}
    with cursor(ReliabilityEvent) as sql:
        sql.execute(WEIGHED.format(only=only), parameters)
        for miner, provider, ok, weight in sql.fetchall():
            _, before = found.get(miner, (provider, NEWCOMER))
            kept, broken = (weight, 0.0) if ok else (0.0, weight)
            found[miner] = provider, Evidence(before.kept + kept, before.broken + broken)
    return found
