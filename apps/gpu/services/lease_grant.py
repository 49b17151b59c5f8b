"""The SQL of granting leases, whose cost does not depend on the depth of the queue.

How and why: docs/architecture.md, "How a poll finds work"; rates: docs/performance.md. The statement takes classes best
first with priority floors and locks exactly the rows it takes. The miner's row is locked first, so that what it may
still hold is counted after every other grant to it has committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from aitbc.core import jsonb, params, pubsub
from aitbc.core.db import atomic, cursor, retrying
from aitbc.core.messaging import emit
from apps.gpu.events import LeaseGranted
from apps.gpu.models import Lease
from apps.gpu.services.miner_cache import MINER_CACHE, Known
from apps.gpu.services.queue_heads import LOWEST, QUEUE_HEADS, WALKED, WIDE, Head
from apps.gpu.services.requirement_classes import CATALOGUE
from apps.gpu.states import MinerState

MOST_AT_ONCE = 64

LOCK_MINER = (
    """SELECT state, concurrency, capability_version, price FROM gpu_miner WHERE id = %(miner)s FOR NO KEY UPDATE"""
)
# `id = ANY (ARRAY(...))` and not `FROM cand`: a plan made on an empty table would scan the whole primary key.
CLAIM = """WITH room AS MATERIALIZED (
  SELECT greatest(0, least(%(n)s::bigint, %(capacity)s::bigint - count(*))) AS n
  FROM gpu_lease WHERE miner_id = %(miner)s::uuid AND state = 'leased'
), cand AS MATERIALIZED (
  SELECT x.id FROM unnest(%(classes)s::text::int[], %(floors)s::text::smallint[]) AS c(class_id, floor)
  CROSS JOIN LATERAL (
    SELECT id FROM gpu_work w WHERE w.class_id = c.class_id AND w.state = 'waiting' AND w.priority >= c.floor
    ORDER BY priority DESC, fair_tag, id LIMIT %(n)s::bigint FOR UPDATE SKIP LOCKED) x LIMIT (SELECT n FROM room)
), taken AS (
  UPDATE gpu_work SET state = 'leased' WHERE id = ANY (ARRAY(SELECT id FROM cand))
  RETURNING id, job_id, attempt, class_id, priority, fair_tag, start_seconds, heartbeat_seconds, execution_seconds, body
), granted AS (
  INSERT INTO gpu_lease (work_id, job_id, attempt, class_id, miner_id, provider_id, rate, heartbeat_seconds,
    granted_at, lease_until, execute_by, input_sha256, input_size)
  SELECT id, job_id, attempt, class_id, %(miner)s::uuid, %(provider)s::uuid, %(rate)s::bigint, heartbeat_seconds, at.t,
    at.t + least(start_seconds, execution_seconds) * interval '1 second',
    at.t + execution_seconds * interval '1 second',
    coalesce(body->>'input_sha256', ''), coalesce((body->>'input_size')::bigint, 0)
  FROM taken CROSS JOIN (SELECT clock_timestamp() AS t) at
  RETURNING work_id, granted_at, lease_until
)
SELECT t.job_id, t.attempt, t.class_id, t.priority, t.fair_tag, g.granted_at, g.lease_until, t.heartbeat_seconds,
  t.execution_seconds, t.body::text, (SELECT n FROM room),
  CASE WHEN t.fair_tag > v.last_value THEN setval('gpu_virtual_time', t.fair_tag) END
FROM taken t JOIN granted g ON g.work_id = t.id, gpu_virtual_time v ORDER BY t.priority DESC, t.fair_tag, t.id"""
COUNT_LIVE = "SELECT count(*) FROM gpu_lease WHERE miner_id = %(miner)s::uuid AND state = 'leased'"


@dataclass(frozen=True)
class Grant:
    """One job in a miner's hands."""

    job_id: UUID
    attempt: int
    class_id: int
    priority: int
    fair_tag: int
    granted_at: datetime
    lease_until: datetime
    heartbeat_seconds: int
    execution_seconds: int
    body: dict[str, Any]


COLUMNS = [column.name for column in fields(Grant)][:-1]  # all but the body, in the statement's order


@dataclass(frozen=True)
class Granted:
    """What a poll got; `full` means that the miner holds as much as it may and need not be woken for work."""

    grants: list[Grant] = field(default_factory=list)
    full: bool = False
    changed: bool = False  # the miner is not what the cache has: recognise it again


def grant(miner: Known, *, n: int = 1, newer_than: float | None = None) -> Granted:
    """Grant up to n waiting jobs that the miner fits; returns them, or none. An empty answer needs no database.

    `newer_than` (time.monotonic) is when a long poll was woken: heads older than that are not trusted.
    """
    n = max(1, min(n, MOST_AT_ONCE, miner.concurrency))
    QUEUE_HEADS.fresh(newer_than=newer_than)
    for second_look in (False, True):
        best = _fitting(miner)
        if not best:
            return Granted()
        found = retrying(partial(_grant, miner, best, n))
        if found.full and newer_than is not None:
            pubsub.send(f"work:{best[0].class_id}")  # this miner was woken in vain: let the next one look
        if found != Granted() or second_look or not QUEUE_HEADS.again():
            return found
    return Granted()


def _fitting(miner: Known) -> list[Head]:
    if miner.state not in (MinerState.ONLINE, MinerState.SUSPECT, MinerState.OFFLINE):
        return []
    CATALOGUE.learn(QUEUE_HEADS.by_class)
    return QUEUE_HEADS.best(CATALOGUE.fitting(miner.candidate, miner.version))


def _grant(miner: Known, best: Sequence[Head], n: int) -> Granted:
    """One transaction: the miner's row locked, work taken, leases written, facts emitted."""
    with atomic(Lease), cursor(Lease) as sql:
        sql.execute(LOCK_MINER, {"miner": miner.pk})
        state, concurrency, version, price = sql.fetchone() or ("", 0, 0, 0)
        if state != MinerState.ONLINE or version != miner.version:
            MINER_CACHE.drop({miner.pk})
            return Granted(changed=True)
        rate = params.get("jobs.reference_rate") if price is None else price
        terms = {"miner": miner.pk, "provider": miner.owner_id, "rate": rate, "capacity": concurrency}
        found = _take(sql, terms, best, n)
        _publish(miner, rate, found.grants)
    return found


def _take(sql: Any, terms: dict[str, Any], best: Sequence[Head], n: int) -> Granted:
    """Strict priority over the four best classes first; then fill up from sixteen without floors."""
    hot = best[:WALKED]
    floors = [best[i + 1].priority if i + 1 < len(best) else LOWEST for i in range(len(hot))]
    grants, room = _walk(sql, terms, hot, floors, n)
    if not grants and _live(sql, terms["miner"]) >= terms["capacity"]:
        return Granted(full=True)  # says nothing about the heads
    QUEUE_HEADS.taken(hot, floors, _places(grants), room)
    if len(grants) < room and len(best) > 1:
        wide = best[:WIDE]
        more, _ = _walk(sql, terms, wide, [LOWEST] * len(wide), n - len(grants))
        grants += more
    return Granted(grants)


def _walk(
    sql: Any, terms: dict[str, Any], heads: Sequence[Head], floors: Sequence[int], n: int
) -> tuple[list[Grant], int]:
    """One statement; returns what it took and how many it might have taken."""
    places = {"classes": _array(head.class_id for head in heads), "floors": _array(floors)}
    sql.execute(CLAIM, {**terms, **places, "n": n})
    rows = sql.fetchall()
    grants = [Grant(**dict(zip(COLUMNS, row, strict=False)), body=jsonb.loads(row[9])) for row in rows]
    return grants, int(rows[0][10]) if rows else n


def _array(numbers: Iterable[int]) -> str:
    """PostgreSQL's own text of an array; the driver would write it number by number, twice."""
    return f"{{{','.join(map(str, numbers))}}}"


def _places(grants: Sequence[Grant]) -> list[tuple[int, int, int]]:
    return [(grant.class_id, grant.priority, grant.fair_tag) for grant in grants]


def _live(sql: Any, miner_id: UUID) -> int:
    sql.execute(COUNT_LIVE, {"miner": miner_id})
    return int(sql.fetchone()[0])


def _publish(miner: Known, rate: int, grants: Sequence[Grant]) -> None:
    emit(
        *(
            LeaseGranted(
                job_id=str(grant.job_id),
                attempt=grant.attempt,
                miner_id=str(miner.pk),
                provider_id=str(miner.owner_id),
                rate=rate,
                granted_at=grant.granted_at.isoformat(),
                lease_until=grant.lease_until.isoformat(),
            )
            for grant in grants
        ),
        by="gpu",
    )
