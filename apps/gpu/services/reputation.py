"""The reputation of miners: the share of their latest leases that they ended as promised."""

from __future__ import annotations

from aitbc.core.db import atomic, cursor
from apps.gpu.models import Miner

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


def judge_reputation(*, since_seconds: int = 300) -> int:
    """Recompute the reputation (per mille, last 1000 leases) of miners with recently ended leases; returns how many."""
    with atomic(Miner), cursor(Miner) as sql:
        sql.execute(REPUTATION, {"since": since_seconds})
        return int(sql.rowcount)
