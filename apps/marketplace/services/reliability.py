"""Evidence of what miners kept and broke, noted as it happens, and R computed from it once an hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from aitbc.core.db import atomic, cursor
from apps.gpu.events import MinerHourJudged
from apps.marketplace.models import Reliability, ReliabilityEvent
from apps.marketplace.selectors.reliability import Evidence, evidence_by_miner

Kind = ReliabilityEvent.Kind


BATCH = 1000


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


def note(*, miner_id: UUID, provider_id: UUID, kind: str, ok: bool, ref: str, at: datetime | None = None) -> None:
    """Write one event down, once per miner, kind and ref; in the caller's transaction, if there is one."""
    whose = {"miner_id": miner_id, "provider_id": provider_id, "at": at or timezone.now()}
    _remember([ReliabilityEvent(**whose, kind=kind, ok=ok, ref=ref)])


def note_hours(events: Sequence[MinerHourJudged]) -> None:
    """Write down hours of kept or missed heartbeats, and the leases that ended in them."""
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
    """Compute every miner's R anew and copy it to its offers; return how many miners there are."""
    found = evidence_by_miner(now)
    miners = sorted(found)
    with atomic(Reliability), cursor(Reliability) as sql:
        for start in range(0, len(miners), BATCH):
            _store(sql, {miner: found[miner] for miner in miners[start : start + BATCH]}, now)
        sql.execute(COPY)
    return len(miners)


def _store(sql: Any, found: dict[UUID, tuple[UUID, Evidence]], now: datetime) -> None:
    providers = [provider for provider, _ in found.values()]
    evidence = [e for _, e in found.values()]
    columns = [[e.r for e in evidence], [e.kept for e in evidence], [e.broken for e in evidence]]
    sql.execute(STORE, [now, list(found), providers, *columns])
