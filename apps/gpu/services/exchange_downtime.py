"""The exchange's own downtime: no miner is blamed for a time in which no heartbeat could arrive.

Every web process writes the time every second (UptimeRecorder). Without it the exchange counts as down, and nothing is
judged. The first tick after a gap extends leases and heartbeats by its length; so does a request that arrives
sooner and finds its lease overdue.
"""

from __future__ import annotations

import logging
import threading
import time

from django.conf import settings
from django.db import Error, connections

from aitbc.core.db import atomic, cursor
from aitbc.domains import served
from apps.gpu.models import Clock

log = logging.getLogger(__name__)

AWAY_SECONDS = 5  # without a tick
TICK_SECONDS = 1.0

GAP = "SELECT extract(epoch FROM clock_timestamp() - seen_at) FROM gpu_clock WHERE id = 1"
TICK = """WITH before AS (SELECT seen_at FROM gpu_clock WHERE id = 1 FOR UPDATE)
UPDATE gpu_clock SET seen_at = clock_timestamp() FROM before WHERE id = 1
RETURNING extract(epoch FROM clock_timestamp() - before.seen_at)"""
# The minutes of an hour in which heartbeats could arrive: uptime.py judges hours by them.
WATCHING = """INSERT INTO gpu_watchedhour AS w (hour, minutes)
SELECT date_trunc('hour', t), 1::bigint << extract(minute FROM t)::int FROM (SELECT clock_timestamp() AS t) now
ON CONFLICT (hour) DO UPDATE SET minutes = w.minutes | excluded.minutes
WHERE w.minutes | excluded.minutes <> w.minutes"""
# Miners before leases: the order in which a heartbeat takes them.
FORGIVE = """UPDATE gpu_miner SET last_heartbeat = last_heartbeat + %(gap)s::float8 * interval '1 second'
WHERE state IN ('online', 'suspect')"""
EXTEND = """UPDATE gpu_lease SET lease_until = lease_until + %(gap)s::float8 * interval '1 second',
  execute_by = execute_by + %(gap)s::float8 * interval '1 second' WHERE state = 'leased'"""


def tick(*, away_seconds: int = AWAY_SECONDS) -> float:
    """Record that the exchange is up; returns by how many seconds leases were extended because it was down."""
    with atomic(Clock), cursor(Clock) as sql:
        sql.execute(WATCHING)
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


def is_up() -> bool:
    """Return whether some web process noted the time in the last 5 s, so that a miner's silence means something."""
    gap = _gap()
    return gap is not None and gap <= AWAY_SECONDS


def was_down() -> bool:
    """Return whether the exchange was down until now; if so, all live leases are first extended by the gap.

    A caller that found its lease overdue reads it again then.
    """
    gap = _gap()
    if gap is None or gap <= AWAY_SECONDS:
        return False
    tick()  # if another caller was faster, it has extended them
    return True


def _gap() -> float | None:
    with cursor(Clock) as sql:
        sql.execute(GAP)
        row = sql.fetchone()
    return None if row is None else float(row[0])


class UptimeRecorder(threading.Thread):
    """Calls `tick` every second for as long as its web process lives."""

    def __init__(self) -> None:
        super().__init__(name="uptime-recorder", daemon=True)

    def run(self) -> None:
        """Record the time once a second, for ever."""
        while True:
            self.record()
            time.sleep(TICK_SECONDS)

    def record(self) -> None:
        """Call `tick` once; a database error is logged, not raised, and the connection is given back."""
        try:
            tick()
        except Error as error:
            log.warning("uptime is not recorded: %s", error)
        finally:
            connections["gpu"].close()


def start_recorder() -> None:
    """Start recording in a web process that serves gpu (asgi.py, wsgi.py); tests set the time themselves."""
    if not settings.TESTING and any(domain.label == "gpu" for domain in served(settings.AITBC_SERVICES)):
        UptimeRecorder().start()
