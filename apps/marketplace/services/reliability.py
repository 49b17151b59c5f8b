"""What miners kept and broke, noted as it happens, and weighed once an hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.utils import timezone

from aitbc.core.db import atomic, cursor
from apps.gpu.events import MinerHourJudged
from apps.marketplace.logic.reliability_score import HALF_LIFE_DAYS, WEIGHTS, lower_bound
from apps.marketplace.models import Reliability, ReliabilityEvent

Kind = ReliabilityEvent.Kind
BATCH = 1000

WEIGHED = """
SELECT miner_id, provider_id, ok, sum(count * (%(weights)s::jsonb ->> kind)::float8
  * 0.5 ^ (extract(epoch FROM %(now)s::timestamptz - at) / 86400 / %(half_life)s::float8))::float8
FROM marketplace_reliabilityevent WHERE at > %(now)s::timestamptz - interval '1 year' {only} GROUP BY 1, 2, 3
"""
STORE = """
INSERT INTO marketplace_reliability (miner_id, provider_id, r, ok, failed, computed_at)
SELECT m, p, r, ok, failed, %s
FROM unnest(%s::uuid[], %s::uuid[], %s::float8[], %s::float8[], %s::float8[]) AS t(m, p, r, ok, failed) ORDER BY m
ON CONFLICT (miner_id) DO UPDATE SET provider_id = excluded.provider_id, r = excluded.r, ok = excluded.ok,
  failed = excluded.failed, computed_at = excluded.computed_at
"""
COPY = """
UPDATE marketplace_marketplaceoffer o SET reliability = r.r FROM marketplace_reliability r
WHERE r.miner_id = o.miner_id AND o.reliability IS DISTINCT FROM r.r AND o.state NOT IN ('expired', 'withdrawn')
"""


@dataclass(frozen=True)
class Evidence:
    """What a miner (or all of a provider's miners) kept and broke, as weights faded to this moment."""

    kept: float
    broken: float

    @property
    def r(self) -> float:
        return lower_bound(self.kept, self.broken)


NEWCOMER = Evidence(0.0, 0.0)


def note(*, miner_id: UUID, provider_id: UUID, kind: str, ok: bool, ref: str, at: datetime | None = None) -> None:
    """Write one thing down, once per miner, kind and ref; in the caller's transaction, if there is one."""
    whose = {"miner_id": miner_id, "provider_id": provider_id, "at": at or timezone.now()}
    _remember([ReliabilityEvent(**whose, kind=kind, ok=ok, ref=ref)])


def note_hours(events: Sequence[MinerHourJudged]) -> None:
    """Hours of kept or missed heartbeats, and the leases that ended in them."""
    _remember(found for event in events for found in _of_hour(event))


def _of_hour(event: MinerHourJudged) -> Iterator[ReliabilityEvent]:
    at = datetime.fromisoformat(event.hour)
    whose = {"miner_id": UUID(event.miner_id), "provider_id": UUID(event.owner_id), "at": at}
    yield ReliabilityEvent(**whose, kind=Kind.HOUR, ok=event.met, ref=event.hour)
    for ok, count in ((True, event.leases_kept), (False, event.leases_broken)):
        if count:
            yield ReliabilityEvent(**whose, kind=Kind.LEASE, ok=ok, count=count, ref=f"{event.hour} {ok}")


def _remember(events: Iterable[ReliabilityEvent]) -> None:
    with atomic(ReliabilityEvent):
        ReliabilityEvent.objects.bulk_create(events, ignore_conflicts=True)


def weigh(*, now: datetime) -> int:
    """Compute every miner's R anew and copy it to its offers; returns how many miners were weighed."""
    found = _weighed(now)
    miners = sorted(found)
    with atomic(Reliability), cursor(Reliability) as sql:
        for start in range(0, len(miners), BATCH):
            _store(sql, {miner: found[miner] for miner in miners[start : start + BATCH]}, now)
        sql.execute(COPY)
    return len(miners)


def of(miner_id: UUID | None) -> float:
    """A miner's R as last weighed; a newcomer's when it has done nothing yet."""
    row = Reliability.objects.filter(pk=miner_id).first() if miner_id else None
    return row.r if row else NEWCOMER.r


def of_provider(provider_id: UUID, *, now: datetime) -> Evidence:
    """All of a provider's miners taken together."""
    found = _weighed(now, only="AND provider_id = %(provider)s::uuid", provider=provider_id)
    return Evidence(sum(e.kept for _, e in found.values()), sum(e.broken for _, e in found.values()))


def _weighed(now: datetime, *, only: str = "", **values: UUID) -> dict[UUID, tuple[UUID, Evidence]]:
    given = {"now": now, "weights": orjson.dumps(WEIGHTS).decode(), "half_life": HALF_LIFE_DAYS, **values}
    found: dict[UUID, tuple[UUID, Evidence]] = {}
    with cursor(ReliabilityEvent) as sql:
        sql.execute(WEIGHED.format(only=only), given)
        for miner, provider, ok, weight in sql.fetchall():
            _, before = found.get(miner, (provider, NEWCOMER))
            kept, broken = (weight, 0.0) if ok else (0.0, weight)
            found[miner] = provider, Evidence(before.kept + kept, before.broken + broken)
    return found


def _store(sql: Any, found: dict[UUID, tuple[UUID, Evidence]], now: datetime) -> None:
    providers = [provider for provider, _ in found.values()]
    evidence = [e for _, e in found.values()]
    figures = [[e.r for e in evidence], [e.kept for e in evidence], [e.broken for e in evidence]]
    sql.execute(STORE, [now, list(found), providers, *figures])
