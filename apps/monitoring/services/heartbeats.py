"""Writing down who checked in, and noticing who did not."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.utils import timezone

from aitbc.core.check_ins import HOST, CheckIn, Expected
from aitbc.core.db import atomic, cursor
from apps.monitoring.logic.due import overdue_after
from apps.monitoring.models import Heartbeat
from apps.monitoring.states import HeartbeatKind, Outcome

log = logging.getLogger(__name__)

# A run that has only begun leaves what is known of the last finished one.
RECORD = """
INSERT INTO monitoring_heartbeat AS known (kind, name, host, expected_seconds, started_at, finished_at, outcome, detail,
                                           failing_since, due_by)
SELECT kind, name, host, expected_seconds, started_at, finished_at, outcome, detail,
       CASE WHEN outcome = 'failed' THEN finished_at END, due_by
FROM json_to_recordset(%s::json) AS run(kind text, name text, host text, expected_seconds float8,
  started_at timestamptz, finished_at timestamptz, outcome text, detail text, due_by timestamptz)
ORDER BY kind, name
ON CONFLICT (kind, name) DO UPDATE SET
  host = excluded.host, expected_seconds = excluded.expected_seconds, started_at = excluded.started_at,
  finished_at = coalesce(excluded.finished_at, known.finished_at),
  outcome = CASE WHEN excluded.finished_at IS NULL THEN known.outcome ELSE excluded.outcome END,
  detail = CASE WHEN excluded.finished_at IS NULL THEN known.detail ELSE excluded.detail END,
  failing_since = CASE WHEN excluded.finished_at IS NULL THEN known.failing_since
                       WHEN excluded.outcome = 'failed' THEN coalesce(known.failing_since, excluded.finished_at) END,
  due_by = CASE WHEN excluded.finished_at IS NULL THEN known.due_by ELSE excluded.due_by END"""
# The row itself is the lock: of several who look, one changes it and writes to the log.
NOTICE = """
UPDATE monitoring_heartbeat SET overdue_since = %(now)s WHERE due_by < %(now)s AND overdue_since IS NULL
RETURNING kind, name, host, started_at, finished_at"""
RESOLVE = """
UPDATE monitoring_heartbeat SET overdue_since = NULL WHERE due_by >= %(now)s AND overdue_since IS NOT NULL
RETURNING kind, name, host"""


def record(check_ins: Sequence[CheckIn]) -> int:
    """Write runs down in one statement, at most one for each (kind, name); returns how many rows changed."""
    if not check_ins:
        return 0
    with cursor(Heartbeat) as sql:
        sql.execute(RECORD, [orjson.dumps([_row(check_in) for check_in in check_ins]).decode()])
        return int(sql.rowcount)


def _row(check_in: CheckIn) -> dict[str, Any]:
    expected, finished = check_in.expected, check_in.finished_at
    outcome = "" if finished is None else Outcome.FAILED if check_in.error else Outcome.OK
    return {
        "kind": expected.kind,
        "name": expected.name,
        "host": check_in.host[:255],
        "expected_seconds": expected.seconds,
        "started_at": check_in.started_at,
        "finished_at": finished,
        "outcome": str(outcome),
        "detail": check_in.error.replace("\x00", "")[:500],
        "due_by": (finished or check_in.started_at) + timedelta(seconds=overdue_after(expected.seconds)),
    }


def expect(expected: Iterable[Expected]) -> None:
    """Keep a row for each of these, overdue in time if it never runs, and remove the rows of all others."""
    now = timezone.now()
    wanting = {(one.kind, one.name): one for one in expected}
    with atomic(Heartbeat):
        known = {(row.kind, row.name): row.pk for row in Heartbeat.objects.select_for_update()}
        Heartbeat.objects.filter(pk__in=[pk for key, pk in known.items() if key not in wanting]).delete()
        Heartbeat.objects.bulk_create(
            [
                Heartbeat(
                    kind=one.kind,
                    name=one.name,
                    expected_seconds=one.seconds,
                    due_by=now + timedelta(seconds=overdue_after(one.seconds)),
                )
                for key, one in wanting.items()
                if key not in known
            ],
            ignore_conflicts=True,
        )


def check_in_queue(queue: str) -> None:
    """Note that a task of this queue is being run, just now; a queue that is not expected is ignored."""
    seconds = Heartbeat.objects.filter(kind=HeartbeatKind.QUEUE, name=queue).values_list("expected_seconds", flat=True)
    now = timezone.now()
    record([CheckIn(Expected(HeartbeatKind.QUEUE, queue, one), now, now, host=HOST) for one in seconds])


def report_overdue(now: datetime | None = None) -> int:
    """Log what has become overdue, and what has come back, each once however many look; returns how many changed."""
    values = {"now": now or timezone.now()}
    with cursor(Heartbeat) as sql:
        sql.execute(NOTICE, values)
        silent = sql.fetchall()
        sql.execute(RESOLVE, values)
        back = sql.fetchall()
    for kind, name, host, started, finished in silent:
        hangs = started is not None and (finished is None or finished < started)
        state = f"started {started:%F %T}Z and did not finish" if hangs else f"last finished {_when(finished)}"
        log.warning("heartbeats: %s %s is overdue: %s, on %s", kind, name, state, host or "no machine")
    for kind, name, host in back:
        log.warning("heartbeats: %s %s is back, on %s", kind, name, host)
    return len(silent) + len(back)


def _when(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%F %T}Z"
