"""Sweeps: overdue leases, silent miners, reputation.

Every statement is set-based, takes rows with SKIP LOCKED and judges them by the same guard as everyone else, so that
two sweeps at once do no harm. Nothing is judged while the exchange itself is down (exchange_downtime.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.db.models.expressions import Combinable
from django.utils import timezone

from aitbc.core import params
from aitbc.core.db import atomic, cursor, on_commit
from aitbc.core.messaging import emit
from aitbc.core.states import advance_many
from apps.gpu.events import LeaseExpired
from apps.gpu.models import Lease, Miner, Reservation
from apps.gpu.services import gpu_availability
from apps.gpu.services.queue import wake_up
from apps.gpu.states import MinerState

BATCH = 5000
MOST_BATCHES = 40

SUSPECT = """UPDATE gpu_lease SET suspect_at = clock_timestamp() WHERE id = ANY (ARRAY(
  SELECT id FROM gpu_lease WHERE state = 'leased' AND suspect_at IS NULL AND started_at IS NOT NULL
    AND lease_until - heartbeat_seconds * interval '0.5 second' < statement_timestamp()
  LIMIT %(limit)s FOR UPDATE SKIP LOCKED))"""
EXPIRE = """WITH over AS MATERIALIZED (
  SELECT id FROM gpu_lease WHERE state = 'leased' AND lease_until <= statement_timestamp()
  LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), ended AS (
  UPDATE gpu_lease SET state = 'expired', ended_at = clock_timestamp(),
    metered_ms = floor(extract(epoch FROM clock_timestamp() - granted_at) * 1000),
    code = CASE WHEN code <> '' THEN code
                WHEN cancel_at IS NOT NULL THEN 'cancelled'
                WHEN lease_until >= execute_by THEN 'execution_timeout'
                WHEN started_at IS NULL THEN 'start_timeout'
                ELSE 'heartbeat_timeout' END
  WHERE id = ANY (ARRAY(SELECT id FROM over))
  RETURNING work_id, job_id, attempt, miner_id, provider_id, rate, code, metered_ms
), worked AS (
  UPDATE gpu_work SET state = 'done' WHERE id = ANY (ARRAY(SELECT work_id FROM ended))
)
SELECT job_id, attempt, miner_id, provider_id, rate, code, metered_ms FROM ended"""
# Done as promised: completed, or failed through the client's input. Two of each are assumed, so a newcomer has 500.
REPUTATION = """WITH active AS (
  SELECT DISTINCT miner_id FROM gpu_lease WHERE ended_at > clock_timestamp() - %(since)s::int * interval '1 second'
), judged AS (
  SELECT l.miner_id, (1000 * (2 + count(*) FILTER (WHERE l.state = 'completed' OR l.code = 'BAD_INPUT'))
    / (4 + count(*)))::int AS reputation
  FROM active JOIN LATERAL (
    SELECT state, code, miner_id FROM gpu_lease x WHERE x.miner_id = active.miner_id
      AND x.state IN ('completed', 'failed', 'expired') AND x.code NOT IN ('cancelled', 'CANCELLED', 'DRAINING')
    ORDER BY id DESC LIMIT 1000) l ON true
  GROUP BY l.miner_id
)
UPDATE gpu_miner m SET reputation = j.reputation, capability_version = capability_version + 1,
  changed_at = clock_timestamp()
FROM judged j WHERE m.id = j.miner_id AND m.reputation <> j.reputation"""


def suspect_leases(*, limit: int = 100_000) -> int:
    """Mark running leases whose miner has been silent for half of its limit; returns how many."""
    with atomic(Lease), cursor(Lease) as sql:
        sql.execute(SUSPECT, {"limit": limit})
        return int(sql.rowcount)


def expire_leases(*, limit: int = BATCH) -> int:
    """Expire overdue leases, each with the code of the limit it passed; returns how many."""
    total = 0
    for _ in range(MOST_BATCHES):
        found = _expire_batch(limit)
        total += found
        if found < limit:
            break
    return total


def _expire_batch(limit: int) -> int:
    with atomic(Lease), cursor(Lease) as sql:
        sql.execute(EXPIRE, {"limit": limit})
        rows = sql.fetchall()
        facts = [
            LeaseExpired(
                job_id=str(job),
                attempt=attempt,
                miner_id=str(miner),
                provider_id=str(provider),
                rate=rate,
                code=code,
                metered_ms=metered_ms,
            )
            for job, attempt, miner, provider, rate, code, metered_ms in rows
        ]
        emit(*facts, by="gpu")
        miners = {f"miner:{fact.miner_id}" for fact in facts}
        on_commit(Lease, lambda: wake_up(miners))
    return len(rows)


def watch_miners() -> dict[str, int]:
    """Miners that missed heartbeats become suspect, then offline; drained ones deregistered. Returns counts.

    A draining miner that falls silent is deregistered once its leases are over, so that its bookings break.
    """
    now, beat = timezone.now(), timedelta(seconds=params.get("miner.heartbeat_s"))
    lost_after = params.get("miner.offline_misses") * beat
    live = Lease.objects.live().filter(miner_id=OuterRef("pk"))
    booked = Reservation.objects.held().filter(miner_id=OuterRef("pk"))
    drained = Miner.objects.filter(~Exists(live), ~Exists(booked), state=MinerState.DRAINING)
    lost_draining = _silent(MinerState.DRAINING, MinerState.DEREGISTERED, now - lost_after, ~Exists(live))
    return {
        "offline": _silent(MinerState.SUSPECT, MinerState.OFFLINE, now - lost_after),
        "suspect": _silent(MinerState.ONLINE, MinerState.SUSPECT, now - min(2 * beat, lost_after)),
        "deregistered": lost_draining + _drained(drained.values_list("pk", flat=True)[:BATCH]),
    }


def _drained(miner_ids: Iterable[UUID]) -> int:
    with atomic(Miner):
        left = advance_many(
            Miner,
            list(miner_ids),
            MinerState.DEREGISTERED,
            actor="sweep",
            reason="drained",
            sources=[MinerState.DRAINING],
            changed_at=timezone.now(),
        )
        gpu_availability.follow_miners(left, actor="sweep")
    return len(left)


def judge_reputation(*, since_seconds: int = 300) -> int:
    """Recompute the reputation (per mille, last 1000 leases) of miners with recently ended leases; returns how many."""
    with atomic(Miner), cursor(Miner) as sql:
        sql.execute(REPUTATION, {"since": since_seconds})
        return int(sql.rowcount)


def _silent(state: MinerState, to: MinerState, since: datetime, *terms: Combinable) -> int:
    """Change miners without a heartbeat since; one that arrives meanwhile leaves its miner as it is."""
    found = Miner.objects.filter(*terms, state=state, last_heartbeat__lt=since, backend=None)
    silent = found.values_list("pk", flat=True)
    with atomic(Miner):
        changed = advance_many(
            Miner,
            list(silent[:BATCH]),
            to,
            actor="sweep",
            reason=f"not heard since {since:%H:%M:%S}",
            sources=[state],
            where={"last_heartbeat__lt": since},
            changed_at=timezone.now(),
        )
        if to in (MinerState.OFFLINE, MinerState.DEREGISTERED):
            gpu_availability.follow_miners(changed, actor="sweep")
    return len(changed)
