"""Uptime by the hour: was a miner there in the minutes in which the exchange was up?

Evidence is a bit a minute, written by the very statement of the heartbeat (MinerHour) and by the sweep's tick
(WatchedHour). The exchange was up in a minute when the tick ran or any heartbeat came; in other minutes nobody is
blamed. So neither a dead beat process nor an exchange that was down can forge an hour or lose one: judging late gives
the same verdict.
"""

from __future__ import annotations

from datetime import datetime

from aitbc.core.db import atomic, cursor
from aitbc.core.messaging import emit
from apps.gpu.events import MinerHourJudged
from apps.gpu.models import MinerHour

MET_SHARE = 0.9  # of the watched minutes
LEAST_WATCHED = 30  # minutes; an hour watched less has no verdict
AWAY_HOURS = 7 * 24  # a miner silent for longer has left, and is judged no further
KEEP_DAYS = 35
BATCH = 1000

# Takes some miners whose next hour is over, judges that hour, and advances them by one.
JUDGE = """WITH due AS MATERIALIZED (
  SELECT id, owner_id, judged_until AS hour, last_heartbeat FROM gpu_miner m
  WHERE judged_until + interval '1 hour' <= clock_timestamp() - interval '1 minute' AND state <> 'deregistered'
    AND NOT EXISTS (SELECT FROM gpu_backend b WHERE b.miner_id = m.id)
  ORDER BY judged_until, id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
), watched AS MATERIALIZED (
  SELECT h.hour, bit_or(h.minutes) AS minutes FROM (
    SELECT hour, minutes FROM gpu_minerhour WHERE hour IN (SELECT hour FROM due)
    UNION ALL SELECT hour, minutes FROM gpu_watchedhour WHERE hour IN (SELECT hour FROM due)) h GROUP BY h.hour
), advanced AS (
  UPDATE gpu_miner m SET judged_until = due.hour + interval '1 hour' FROM due WHERE m.id = due.id
)
SELECT due.id, due.owner_id, due.hour, bit_count((coalesce(h.minutes, 0) & w.minutes)::bit(64)) AS heard,
  coalesce(bit_count(w.minutes::bit(64)), 0) AS there
FROM due LEFT JOIN watched w ON w.hour = due.hour
LEFT JOIN gpu_minerhour h ON h.miner_id = due.id AND h.hour = due.hour"""
SKIP_AWAY = """UPDATE gpu_miner SET judged_until = date_trunc('hour', clock_timestamp())
WHERE judged_until < date_trunc('hour', clock_timestamp())
  AND judged_until > last_heartbeat + %(away)s::int * interval '1 hour'"""
FORGET = """WITH expired AS (
  DELETE FROM gpu_minerhour WHERE hour < clock_timestamp() - %(days)s::int * interval '1 day'
)
DELETE FROM gpu_watchedhour WHERE hour < clock_timestamp() - %(days)s::int * interval '1 day'"""


def judge(*, limit: int = BATCH, most_batches: int = 200) -> int:
    """Judge every full hour that is over, of every miner, each once; returns how many verdicts there were."""
    total = 0
    for _ in range(most_batches):
        looked_at, verdicts = _judge_batch(limit)
        total += verdicts
        if not looked_at:
            break
    return total


def forget(*, keep_days: int = KEEP_DAYS) -> None:
    """Delete the minutes of hours older than this many days."""
    with atomic(MinerHour), cursor(MinerHour) as sql:
        sql.execute(FORGET, {"days": keep_days})


def is_met(heard: int, there: int) -> bool:
    """Return whether heartbeats came in nine of ten watched minutes."""
    return heard >= MET_SHARE * there


def _judge_batch(limit: int) -> tuple[int, int]:
    """How many hours were looked at, and of how many there is a verdict."""
    with atomic(MinerHour), cursor(MinerHour) as sql:
        sql.execute(SKIP_AWAY, {"away": AWAY_HOURS})
        sql.execute(JUDGE, {"limit": limit})
        rows = sql.fetchall()
        facts = [
            MinerHourJudged(miner_id=str(miner), owner_id=str(owner), hour=_text(hour), met=is_met(heard, there))
            for miner, owner, hour, heard, there in rows
            if there >= LEAST_WATCHED
        ]
        emit(*facts, by="gpu")
    return len(rows), len(facts)


def _text(hour: datetime) -> str:
    return hour.isoformat().replace("+00:00", "Z")
