"""The reputation of miners: the share of their latest leases that they ended as promised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from aitbc.core.db import atomic, cursor
from apps.ai.events import InputJudged
from apps.gpu.models import Lease, Miner

# Done as promised: completed, or failed through the client's input, which others found to be bad too. A claim of bad
# input that is not decided counts neither way, nor does a lease that was withdrawn. A miner's own "cancelled" is a
# failure. Two of each are assumed, so a newcomer has 500.
JUDGE = """WITH active AS (
  {active}
), judged AS (
  SELECT l.miner_id, (1000 * (2 + count(*) FILTER (WHERE l.state = 'completed' OR l.claim_upheld))
    / (4 + count(*)))::int AS reputation
  FROM active JOIN LATERAL (
    SELECT state, claim_upheld, miner_id FROM gpu_lease x WHERE x.miner_id = active.miner_id
      AND x.state IN ('completed', 'failed', 'expired') AND x.cancel_at IS NULL AND x.code <> 'DRAINING'
      AND (x.code <> 'BAD_INPUT' OR x.claim_upheld IS NOT NULL)
    ORDER BY id DESC LIMIT 1000) l ON true
  GROUP BY l.miner_id
)
UPDATE gpu_miner m SET reputation = j.reputation, capability_version = capability_version + 1,
  changed_at = clock_timestamp()
FROM judged j WHERE m.id = j.miner_id AND m.reputation <> j.reputation"""
ENDED_LATELY = """SELECT DISTINCT miner_id FROM gpu_lease
  WHERE ended_at > clock_timestamp() - %(since)s::int * interval '1 second'"""
NAMED = "SELECT unnest(%(miners)s::uuid[]) AS miner_id"
DECIDE = """UPDATE gpu_lease l SET claim_upheld = t.bad
FROM unnest(%(jobs)s::uuid[], %(attempts)s::smallint[], %(bad)s::boolean[]) AS t(job_id, attempt, bad)
WHERE l.job_id = t.job_id AND l.attempt = t.attempt AND l.state = 'failed' AND l.code = 'BAD_INPUT'
RETURNING l.miner_id"""


def judge_reputation(*, since_seconds: int = 300) -> int:
    """Recompute the reputation (per mille, last 1000 leases) of miners with recently ended leases; returns how many."""
    return _judge(ENDED_LATELY, since=since_seconds)


def record_verdicts(events: Sequence[InputJudged]) -> None:
    """Record which claims of bad input were right; the miners who made them are judged anew."""
    rows = [(UUID(event.job_id), attempt, event.bad) for event in events for attempt in event.attempts]
    jobs, attempts, bad = (list(column) for column in zip(*rows, strict=True))
    with atomic(Lease):
        with cursor(Lease) as sql:
            sql.execute(DECIDE, {"jobs": jobs, "attempts": attempts, "bad": bad})
            miners = {miner for (miner,) in sql.fetchall()}
        _judge(NAMED, miners=sorted(miners))


def _judge(active: str, **values: Any) -> int:
    with atomic(Miner), cursor(Miner) as sql:
        sql.execute(JUDGE.format(active=active), values)
        return int(sql.rowcount)
