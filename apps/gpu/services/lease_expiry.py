"""Overdue leases: suspect after half of a heartbeat's limit in silence, expired at the end of any limit.

Every statement is set-based, takes rows with SKIP LOCKED and judges them by the same guard as everyone else, so that
two sweeps at once do no harm. Nothing is judged while the exchange itself is down (exchange_downtime.py).
"""

from __future__ import annotations

from aitbc.core.db import atomic, cursor, on_commit
from aitbc.core.messaging import emit
from apps.gpu.events import LeaseExpired
from apps.gpu.models import Lease
from apps.gpu.services.queue import wake_up
from apps.gpu.services.silence import METERED_MS, silence_seconds

BATCH = 5000
MOST_BATCHES = 40

SUSPECT = """UPDATE gpu_lease SET suspect_at = clock_timestamp() WHERE id = ANY (ARRAY(
  SELECT id FROM gpu_lease WHERE state = 'leased' AND suspect_at IS NULL AND started_at IS NOT NULL
    AND lease_until - heartbeat_seconds * interval '0.5 second' < statement_timestamp()
  LIMIT %(limit)s FOR UPDATE SKIP LOCKED))"""
# What is metered of a withdrawn lease was fixed then.
EXPIRE = f"""WITH over AS MATERIALIZED (
  SELECT id FROM gpu_lease WHERE state = 'leased' AND lease_until <= statement_timestamp()
  LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), ended AS (
  UPDATE gpu_lease l SET state = 'expired', ended_at = clock_timestamp(),
    metered_ms = CASE WHEN cancel_at IS NULL THEN {METERED_MS.format(at="clock_timestamp()")} ELSE metered_ms END,
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
        sql.execute(EXPIRE, {"limit": limit, "silence": silence_seconds()})
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
