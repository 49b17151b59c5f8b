"""The exchange's own absences: no miner is blamed for a time in which nobody could have heard it.

Every web process notes the time every second (attendance.py). While there are no notes the doors are shut, and
nothing is judged. The first note after a gap extends leases and silences by its length; so does a miner that is back
sooner than that and finds its lease overdue.
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

AWAY_SECONDS = 5  # so many notes are missing
TICK_SECONDS = 1.0

GAP = "SELECT extract(epoch FROM clock_timestamp() - seen_at) FROM gpu_clock WHERE id = 1"
TICK = """WITH before AS (SELECT seen_at FROM gpu_clock WHERE id = 1 FOR UPDATE)
UPDATE gpu_clock SET seen_at = clock_timestamp() FROM before WHERE id = 1
RETURNING extract(epoch FROM clock_timestamp() - before.seen_at)"""
# Which minutes of an hour miners could be heard in: what an hour's heartbeats are judged by.
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
    """Note that the doors are open; returns by how many seconds leases were extended because they were not."""
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


def doors_are_open() -> bool:
    """Whether miners can be heard just now, so that their silence means something."""
    gap = _gap()
    return gap is not None and gap <= AWAY_SECONDS


def was_noticed() -> bool:
    """Whether the exchange was away until just now; leases are extended by then, and may be looked at again."""
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
        while True:
            self.record()
            time.sleep(TICK_SECONDS)

    def record(self) -> None:
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
