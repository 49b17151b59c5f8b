"""The exchange's own absences: no miner is blamed for a time in which nobody could have heard it.

The sweep notes the time at every round. A gap between two notes means that the exchange was away: leases and silences
are extended by its length before anything is judged, by whoever comes first: the sweep, or a miner that is back sooner
than the sweep and finds its lease overdue.
"""

from __future__ import annotations

from aitbc.core.db import atomic, cursor
from apps.gpu.models import Clock

AWAY_SECONDS = 8  # four rounds of the sweep

GAP = "SELECT extract(epoch FROM clock_timestamp() - seen_at) FROM gpu_clock WHERE id = 1"
TICK = """WITH before AS (SELECT seen_at FROM gpu_clock WHERE id = 1 FOR UPDATE)
UPDATE gpu_clock SET seen_at = clock_timestamp() FROM before WHERE id = 1
RETURNING extract(epoch FROM clock_timestamp() - before.seen_at)"""
# Miners before leases: the order in which a heartbeat takes them.
FORGIVE = """UPDATE gpu_miner SET last_heartbeat = last_heartbeat + %(gap)s::float8 * interval '1 second'
WHERE state IN ('online', 'suspect')"""
EXTEND = """UPDATE gpu_lease SET lease_until = lease_until + %(gap)s::float8 * interval '1 second',
  execute_by = execute_by + %(gap)s::float8 * interval '1 second' WHERE state = 'leased'"""


def tick(*, away_seconds: int = AWAY_SECONDS) -> float:
    """Note that the exchange is here; returns by how many seconds leases were extended because it was not."""
    with atomic(Clock), cursor(Clock) as sql:
        sql.execute(TICK)
        row = sql.fetchone()
        if row is None:  # a restore or a flush took the row away
            Clock.objects.bulk_create([Clock(id=1)], ignore_conflicts=True)
            return 0.0
        gap = float(row[0])
        if gap <= away_seconds:
            return 0.0
        sql.execute(FORGIVE, {"gap": gap})
        sql.execute(EXTEND, {"gap": gap})
    return gap


def was_noticed() -> bool:
    """Whether the exchange was away until just now; leases are extended by then, and may be looked at again."""
    with cursor(Clock) as sql:
        sql.execute(GAP)
        row = sql.fetchone()
    if row is None or float(row[0]) <= AWAY_SECONDS:
        return False
    tick()  # if another caller was faster, it has extended them
    return True
