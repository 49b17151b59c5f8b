"""The queue: work arrives from ai, gets its fair tag, is reprioritised, delayed, withdrawn, and deleted when done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from aitbc.core import jsonb, pubsub
from aitbc.core.db import atomic, cursor, on_commit
from aitbc.core.messaging import emit
from apps.ai.events import JobPrioritized, JobQueued, JobWithdrawn
from apps.gpu.events import WorkWithdrawn
from apps.gpu.models import Work
from apps.gpu.services import requirement_classes
from apps.gpu.services.queue_heads import QUEUE_HEADS
from apps.gpu.services.silence import METERED_MS, silence_seconds

WAKES_AT_ONCE = 100  # topics of one datagram
LOWEST, HIGHEST = -1000, 1000
KEEP_DONE_SECONDS = 3600  # a fact delivered late must still meet its attempt here
WITHDRAWN_GRACE_SECONDS = 60

# Start-time fair queueing: locks only the owners concerned, in order. Work of a class that no online miner serves
# costs its owner nothing, so that it does not push the owner's other work back.
ENQUEUE = """WITH new AS (
  SELECT t.*, CASE WHEN c.served THEN t.cost ELSE 0 END AS charge
  FROM unnest(%(jobs)s::uuid[], %(attempts)s::smallint[], %(classes)s::int[], %(priorities)s::smallint[],
    %(owners)s::uuid[],
    %(costs)s::bigint[], %(starts)s::int[], %(heartbeats)s::int[], %(executions)s::int[], %(bodies)s::text[],
    %(dues)s::timestamptz[]) WITH ORDINALITY
    AS t(job_id, attempt, class_id, priority, owner_id, cost, start_s, heartbeat_s, execution_s, body, due_at, n)
  JOIN gpu_requirementclass c ON c.id = t.class_id
  WHERE NOT EXISTS (SELECT FROM gpu_work w WHERE w.job_id = t.job_id AND (w.attempt >= t.attempt OR w.state <> 'done'))
  AND NOT EXISTS (
    SELECT FROM gpu_lease l WHERE l.job_id = t.job_id AND l.attempt >= t.attempt AND l.state <> 'released')
), own AS (
  SELECT owner_id, sum(charge)::bigint AS total FROM new GROUP BY owner_id
), share AS (
  INSERT INTO gpu_fairshare AS f (owner_id, finish)
  SELECT owner_id, v.last_value + total FROM own, gpu_virtual_time v ORDER BY owner_id
  ON CONFLICT (owner_id) DO UPDATE SET finish =
    greatest(f.finish, excluded.finish - (SELECT total FROM own o WHERE o.owner_id = f.owner_id))
    + (SELECT total / f.weight FROM own o WHERE o.owner_id = f.owner_id)
  RETURNING owner_id, finish, weight
)
INSERT INTO gpu_work (job_id, attempt, class_id, priority, owner_id, fair_tag, state, start_seconds, heartbeat_seconds,
  execution_seconds, body, due_at)
SELECT new.job_id, new.attempt, new.class_id, new.priority, new.owner_id,
  share.finish - own.total / share.weight
    + (sum(charge) OVER (PARTITION BY new.owner_id ORDER BY n) - charge)::bigint / share.weight,
  CASE WHEN new.due_at > clock_timestamp() THEN 'delayed' ELSE 'waiting' END,
  start_s, heartbeat_s, execution_s, body::jsonb, new.due_at
FROM new JOIN own USING (owner_id) JOIN share USING (owner_id) ORDER BY n
ON CONFLICT DO NOTHING
RETURNING class_id, priority, fair_tag, state"""
WITHDRAW = """UPDATE gpu_work SET state = 'done'
WHERE job_id = ANY (%(jobs)s::uuid[]) AND state IN ('waiting', 'delayed')
RETURNING job_id"""
# Heartbeats do not push a withdrawn lease on: a miner that does not stop loses it after the grace. What it is paid for
# is fixed now.
CANCEL = f"""UPDATE gpu_lease l SET cancel_at = clock_timestamp(),
  metered_ms = {METERED_MS.format(at="clock_timestamp()")},
  lease_until = least(lease_until, clock_timestamp() + %(grace)s::int * interval '1 second')
WHERE job_id = ANY (%(jobs)s::uuid[]) AND state = 'leased' AND cancel_at IS NULL RETURNING miner_id"""
OPEN = "SELECT 1 FROM gpu_work WHERE job_id = ANY (%(jobs)s::uuid[]) AND state IN ('waiting', 'delayed') LIMIT 1"
# What a withdrawal found, the first time or again. A completed lease is answered by LeaseCompleted.
ANSWERS = """SELECT j.id, coalesce(l.attempt, 0), coalesce(l.metered_ms, 0)
FROM unnest(%(jobs)s::uuid[]) AS j(id) LEFT JOIN LATERAL (
  SELECT attempt, metered_ms, cancel_at, state FROM gpu_lease WHERE job_id = j.id ORDER BY id DESC LIMIT 1
) last ON true LEFT JOIN LATERAL (SELECT last.attempt, last.metered_ms WHERE last.cancel_at IS NOT NULL) l ON true
WHERE last.state IS DISTINCT FROM 'completed'"""
MOVE = """UPDATE gpu_work w SET priority = t.priority
FROM unnest(%(jobs)s::uuid[], %(priorities)s::smallint[]) AS t(job_id, priority)
WHERE w.job_id = t.job_id AND w.state IN ('waiting', 'delayed') RETURNING w.class_id, w.priority, w.fair_tag, w.state"""
WAKE_DUE = """UPDATE gpu_work SET state = 'waiting' WHERE id = ANY (ARRAY(
  SELECT id FROM gpu_work WHERE state = 'delayed' AND due_at <= statement_timestamp()
  ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)) RETURNING class_id, priority, fair_tag, state"""
SWEEP_DONE = """DELETE FROM gpu_work WHERE id = ANY (ARRAY(
  SELECT id FROM gpu_work WHERE state = 'done' AND created_at < clock_timestamp() - %(keep)s::int * interval '1 second'
  LIMIT %(limit)s FOR UPDATE SKIP LOCKED))"""

Place = tuple[int, int, int, str]  # class, priority, fair tag, state


def enqueue(events: Sequence[JobQueued]) -> int:
    """Put attempts of jobs into the queue, each once; returns how many were new.

    An attempt that waits, runs, or had a lease already is left out. Miners that fit are woken after the commit.
    """
    with atomic(Work), cursor(Work) as sql:
        class_ids, new = _classes(events)
        sql.execute(ENQUEUE, _columns(events, class_ids))
        places: list[Place] = sql.fetchall()
        announce(places, topics=[requirement_classes.CREATED] if new else [])
    return len(places)


def withdraw(events: Sequence[JobWithdrawn]) -> None:
    """Take jobs out of the queue, and answer what ran of each: WorkWithdrawn, unless a result was accepted before.

    Those with a miner are marked as cancelled: its next heartbeat says so. Such a lease is overdue after
    WITHDRAWN_GRACE_SECONDS at the latest; heartbeats extend it no more.
    """
    jobs = [UUID(event.job_id) for event in events]
    values = {"jobs": jobs, "grace": WITHDRAWN_GRACE_SECONDS, "silence": silence_seconds()}
    miners: set[str] = set()
    with atomic(Work), cursor(Work) as sql:
        while True:
            # Two statements: the second one's snapshot sees a grant that the first one had to wait for. A release
            # between the two makes the work wait again: then both once more.
            sql.execute(WITHDRAW, values)
            sql.execute(CANCEL, values)
            miners |= {f"miner:{miner_id}" for (miner_id,) in sql.fetchall()}
            sql.execute(OPEN, values)
            if sql.fetchone() is None:
                break
        sql.execute(ANSWERS, values)
        answers = [WorkWithdrawn(job_id=str(job), attempt=n, metered_ms=ms) for job, n, ms in sql.fetchall()]
        emit(*answers, by="gpu")
        on_commit(Work, lambda: wake_up(miners))


def prioritize(events: Sequence[JobPrioritized]) -> int:
    """Change the priority of waiting jobs; returns how many. One that a miner holds keeps its own."""
    columns = {"jobs": [UUID(e.job_id) for e in events], "priorities": [_bounded(e.priority) for e in events]}
    return _requeued(MOVE, columns)


def wake_due(*, limit: int = 5000) -> int:
    """Make delayed work whose back-off is over wait for a miner; returns how many."""
    return _requeued(WAKE_DUE, {"limit": limit})


def sweep_done(*, keep_seconds: int = KEEP_DONE_SECONDS, limit: int = 20_000) -> int:
    """Delete rows of finished work older than this many seconds; returns how many."""
    with atomic(Work), cursor(Work) as sql:
        sql.execute(SWEEP_DONE, {"keep": keep_seconds, "limit": limit})
        return int(sql.rowcount)


def announce(places: Iterable[Place], topics: Iterable[str] = ()) -> None:
    """Add waiting places to this process's heads, now and after the commit, when the miners are woken too.

    Twice, because a grant between the two finds nothing and drops the head. `topics` are woken as well.
    """
    waiting = [place for place in places if place[3] == "waiting"]

    def note() -> None:
        for class_id, priority, tag, _ in waiting:
            QUEUE_HEADS.note(class_id, priority, tag)

    def notify() -> None:
        note()
        wake_up([*topics, *(f"work:{place[0]}" for place in waiting)])

    note()
    on_commit(Work, notify)


def wake_up(topics: Iterable[str]) -> None:
    """Send wake-ups for these topics, in datagrams of at most 100."""
    named = list(topics)
    for start in range(0, len(named), WAKES_AT_ONCE):
        pubsub.send(*named[start : start + WAKES_AT_ONCE])


def _requeued(statement: str, values: dict[str, Any]) -> int:
    with atomic(Work), cursor(Work) as sql:
        sql.execute(statement, values)
        places: list[Place] = sql.fetchall()
        announce(places)
    return len(places)


def _bounded(priority: int) -> int:
    return max(LOWEST, min(priority, HIGHEST))


def _classes(events: Sequence[JobQueued]) -> tuple[list[int], set[int]]:
    """The class of each event's requirement, and which of them are new.

    Owners whose claim about the input is to be checked by others are left out where an online miner of others fits.
    """
    excluding = [event for event in events if event.excluded_owners]
    others, new = _ensured([{**event.requirement, "excluded_owners": event.excluded_owners} for event in excluding])
    alone = requirement_classes.unserved(others) if others else set()
    chosen = {event.job_id: pk for event, pk in zip(excluding, others, strict=True) if pk not in alone}
    ordinary = [event for event in events if event.job_id not in chosen]
    anybody, more = _ensured([event.requirement for event in ordinary])
    chosen |= {event.job_id: pk for event, pk in zip(ordinary, anybody, strict=True)}
    return [chosen[event.job_id] for event in events], new | more


def _ensured(requirements: Sequence[Mapping[str, Any]]) -> tuple[list[int], set[int]]:
    if not requirements:
        return [], set()
    class_ids, new = requirement_classes.ensure(requirements)
    if new:
        requirement_classes.mark_served(new)
    return class_ids, new


def _columns(events: Sequence[JobQueued], class_ids: Sequence[int]) -> dict[str, list[Any]]:
    return {
        "jobs": [UUID(event.job_id) for event in events],
        "attempts": [event.attempt + 1 for event in events],
        "classes": list(class_ids),
        "priorities": [_bounded(event.priority) for event in events],
        "owners": [UUID(event.owner_id) for event in events],
        "costs": [max(1, event.cost) for event in events],
        "starts": [event.start_seconds for event in events],
        "heartbeats": [event.heartbeat_seconds for event in events],
        "executions": [event.execution_seconds for event in events],
        "bodies": [_body(event) for event in events],
        "dues": [event.not_before for event in events],
    }


def _body(event: JobQueued) -> str:
    body = {
        "task_type": event.task_type,
        "payload": event.payload,
        "constraints": event.constraints,
        "input_sha256": event.input_sha256,
        "input_size": event.input_size,
    }
    return jsonb.dumps(body)
