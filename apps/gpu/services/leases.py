"""Leases: grant, progress, result, failure, release.

Whether a result counts is decided by one guarded UPDATE in the database that owns the lease: still leased, this
owner's, this attempt, and lease_until still ahead of that database's clock. Otherwise nothing changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from aitbc.core import blobs
from aitbc.core.canonical import encode
from aitbc.core.db import atomic, cursor, on_commit
from aitbc.core.messaging import emit
from apps.gpu.errors import LeaseFenced, LeaseNotFound, ResultTooLarge, UnusableResult
from apps.gpu.events import JobProgressed, LeaseCompleted, LeaseFailed, LeaseReleased
from apps.gpu.models import LateResult, Lease
from apps.gpu.services import exchange_downtime, lease_grant
from apps.gpu.services.lease_grant import Grant, Granted
from apps.gpu.services.miner_cache import Known
from apps.gpu.services.queue import announce, wake_up
from apps.gpu.states import LeaseState

__all__ = ["Grant", "Granted", "complete", "fail", "grant", "release", "report"]

INLINE_BYTES = 64 * 1024
RESULT_BYTES = 16 * 1024 * 1024

# A lease that this holder may end so.
HELD = """job_id = %(job)s::uuid AND provider_id = %(owner)s::uuid AND state = 'leased'
    AND (%(attempt)s::int IS NULL OR attempt = %(attempt)s::int)
    AND (%(miner)s::uuid IS NULL OR miner_id = %(miner)s::uuid)
    AND (cancel_at IS NULL OR %(state)s <> 'completed')"""
MAY_END = f"SELECT 1 FROM gpu_lease WHERE {HELD} AND lease_until > clock_timestamp()"
# clock_timestamp() is read once: the time a lease ends is the time it is metered to. What is metered of a withdrawn
# lease was fixed then.
END = f"""WITH ended AS (
  UPDATE gpu_lease SET state = %(state)s, ended_at = at.t, code = %(code)s, message = %(message)s,
    result_sha256 = %(sha256)s, result_size = %(size)s::bigint,
    metered_ms = CASE WHEN cancel_at IS NULL THEN floor(extract(epoch FROM at.t - granted_at) * 1000)
      ELSE metered_ms END
  FROM (SELECT clock_timestamp() AS t) at
  WHERE {HELD} AND lease_until > at.t
  RETURNING work_id, job_id, attempt, miner_id, provider_id, rate, granted_at, ended_at, metered_ms
), worked AS (
  UPDATE gpu_work SET state = 'done' WHERE id IN (SELECT work_id FROM ended)
)
SELECT job_id, attempt, miner_id, provider_id, rate, granted_at, ended_at, metered_ms FROM ended"""
RELEASE = """WITH freed AS (
  UPDATE gpu_lease SET state = 'released', ended_at = clock_timestamp(), code = 'undelivered'
  WHERE job_id = ANY (%(jobs)s::uuid[]) AND provider_id = %(owner)s::uuid AND state = 'leased'
    AND granted_at >= %(since)s::timestamptz AND cancel_at IS NULL
  RETURNING work_id, attempt, miner_id
), back AS (
  UPDATE gpu_work SET state = 'waiting' WHERE id IN (SELECT work_id FROM freed)
  RETURNING id, job_id, class_id, priority, fair_tag, state
)
SELECT b.class_id, b.priority, b.fair_tag, b.state, b.job_id, f.attempt, f.miner_id
FROM back b JOIN freed f ON f.work_id = b.id"""
PROGRESS = """UPDATE gpu_lease l SET progress = t.progress, note = t.note
FROM unnest(%(jobs)s::uuid[], %(progress)s::float8[], %(notes)s::text[]) AS t(job_id, progress, note)
WHERE l.job_id = t.job_id AND l.miner_id = %(miner)s::uuid AND l.state = 'leased'
  AND (l.progress, l.note) IS DISTINCT FROM (t.progress, t.note::varchar)
RETURNING l.job_id, l.attempt, l.progress, l.note"""


@dataclass(frozen=True)
class Ending:
    """How a lease is to end: the new state, with a failure's code and message, or a result's digest and bytes."""

    state: str
    code: str = ""
    message: str = ""
    sha256: str = ""
    size: int = 0


@dataclass(frozen=True)
class Ended:
    """A lease as its end was written."""

    job_id: UUID
    attempt: int
    miner_id: UUID
    provider_id: UUID
    rate: int
    granted_at: datetime
    ended_at: datetime
    metered_ms: int

    def parties(self) -> dict[str, Any]:
        """Return the members that events about the lease's end have in common."""
        return {
            "job_id": str(self.job_id),
            "attempt": self.attempt,
            "miner_id": str(self.miner_id),
            "provider_id": str(self.provider_id),
            "rate": self.rate,
            "metered_ms": self.metered_ms,
        }


@dataclass(frozen=True)
class Holder:
    """Who claims to hold a job: the owner by its key; the miner and attempt where the client names them."""

    owner_id: UUID
    miner_id: UUID | None = None
    attempt: int | None = None


@dataclass(frozen=True)
class Report:
    """Progress (0 … 1) of one running job, with a note."""

    job_id: UUID
    progress: float
    note: str


def grant(miner: Known, *, n: int = 1, newer_than: float | None = None) -> Granted:
    """Grant up to n waiting jobs that this miner fits (at most 64 and its concurrency).

    `newer_than` (time.monotonic) is when a long poll was woken: queue heads read before that are read again.
    Returns no grants when there is no fitting work, `full` when the miner holds as much as it may, and `changed` when
    its row is not what the cache says: recognise the miner again. The SQL is in lease_grant.py.
    """
    return lease_grant.grant(miner, n=n, newer_than=newer_than)


def complete(*, job_id: UUID, holder: Holder, result: Any, metrics: Mapping[str, Any]) -> bool:
    """Accept a result from the miner that holds the job. The same result again is accepted again and changes nothing.

    The bytes of a large one are stored only for a holder of a live lease; the guarded UPDATE decides all the same.
    Returns whether it was new. Raises LeaseFenced (evidence kept) or LeaseNotFound; ResultTooLarge above 16 MiB.
    """
    canonical = _canonical(result)
    ending = Ending(LeaseState.COMPLETED.value, sha256=_sha256(canonical), size=len(canonical))
    large = len(canonical) > INLINE_BYTES
    if large:
        if not _first_row(MAY_END, _values(job_id, holder, ending)):
            return _not_live(job_id, holder, "result", LeaseState.COMPLETED, sha256=ending.sha256, size=ending.size)
        blobs.put([canonical], limit=RESULT_BYTES)
    with atomic(Lease):
        ended = _end(job_id, holder, ending)
        if ended is not None:
            emit(
                LeaseCompleted(
                    **ended.parties(),
                    started_at=ended.granted_at.isoformat(),
                    ended_at=ended.ended_at.isoformat(),
                    result=None if large else result,
                    result_sha256=ending.sha256,
                    result_size=ending.size,
                    metrics=dict(metrics),
                ),
                by="gpu",
            )
            return True
    return _not_live(job_id, holder, "result", LeaseState.COMPLETED, sha256=ending.sha256, size=ending.size)


def fail(*, job_id: UUID, holder: Holder, code: str, message: str) -> bool:
    """Take a job back from the miner that reports a failure; returns whether it was new (a repetition is not).

    Raises LeaseFenced or LeaseNotFound.
    """
    with atomic(Lease):
        ended = _end(job_id, holder, Ending(LeaseState.FAILED.value, code=code, message=message[:1000]))
        if ended is not None:
            emit(LeaseFailed(**ended.parties(), code=code, message=message[:1000]), by="gpu")
            return True
    return _not_live(job_id, holder, "fail", LeaseState.FAILED, code=code)


def release(*, owner_id: UUID, job_ids: Sequence[UUID], since: datetime) -> int:
    """Undo grants whose answer never reached the miner: back to the queue, the attempt not used; returns how many."""
    with atomic(Lease), cursor(Lease) as sql:
        sql.execute(RELEASE, {"jobs": list(job_ids), "owner": owner_id, "since": since})
        rows = sql.fetchall()
        emit(
            *(LeaseReleased(job_id=str(job), attempt=attempt, miner_id=str(miner)) for *_, job, attempt, miner in rows),
            by="gpu",
        )
        announce([row[:4] for row in rows])
    return len(rows)


def report(*, miner_id: UUID, reports: Sequence[Report]) -> None:
    """Record progress of jobs the miner holds, and publish what changed."""
    columns = {
        "jobs": [r.job_id for r in reports],
        "progress": [r.progress for r in reports],
        "notes": [r.note for r in reports],
    }
    with atomic(Lease), cursor(Lease) as sql:
        sql.execute(PROGRESS, {**columns, "miner": miner_id})
        facts = [
            JobProgressed(job_id=str(job), attempt=attempt, progress=progress, note=note)
            for job, attempt, progress, note in sql.fetchall()
        ]
        emit(*facts, by="gpu")


def _end(job_id: UUID, holder: Holder, ending: Ending) -> Ended | None:
    """End a live lease of this holder, if there is one."""
    row = _first_row(END, _values(job_id, holder, ending))
    if row is None:
        return None
    ended = Ended(*row)
    on_commit(Lease, lambda: wake_up([f"miner:{ended.miner_id}"]))  # it has room again
    return ended


def _values(job_id: UUID, holder: Holder, ending: Ending) -> dict[str, Any]:
    return {
        "job": job_id,
        "owner": holder.owner_id,
        "miner": holder.miner_id,
        "attempt": holder.attempt,
        **asdict(ending),
    }


def _first_row(statement: str, values: Mapping[str, Any]) -> Any:
    """The first row of a statement about live leases, or None.

    A lease that is overdue only because the exchange was down is live: its time is extended first.
    """
    with cursor(Lease) as sql:
        sql.execute(statement, values)
        row = sql.fetchone()
        if row is None and exchange_downtime.was_down():
            sql.execute(statement, values)
            row = sql.fetchone()
    return row


def _not_live(job_id: UUID, holder: Holder, kind: str, accepted: LeaseState, **sent: Any) -> bool:
    """The lease is not this caller's to end: a repetition is fine (False), the rest is fenced, with evidence."""
    held = Lease.objects.of_job(job_id).owned_by(holder.owner_id)
    if holder.miner_id is not None:
        held = held.of_miner(holder.miner_id)
    leases = list(held.order_by("-id")[:20])
    if not leases:
        raise LeaseNotFound()
    same = [lease for lease in leases if holder.attempt in (None, lease.attempt)]
    if same and same[0].state == accepted and sent.get("sha256", "") == same[0].result_sha256:
        return False
    last = same[0] if same else leases[0]
    reason = _reason(last, fits_attempt=bool(same))
    with atomic(LateResult):
        LateResult.objects.create(
            job_id=job_id,
            attempt=holder.attempt,
            miner_id=last.miner_id,
            kind=kind,
            reason=reason,
            sha256=sent.get("sha256", ""),
            size=sent.get("size", 0),
        )
    raise LeaseFenced(
        f"{reason}; nothing was changed.", state=last.state, allowed=sorted(Lease.TRANSITIONS[last.state])
    )


def _reason(lease: Lease, *, fits_attempt: bool) -> str:
    if not fits_attempt:
        return f"Attempt {lease.attempt} is the last you held"
    if lease.cancel_at is not None and lease.state == LeaseState.LEASED:
        return "The job was withdrawn"
    return f"The lease is {'overdue' if lease.state == LeaseState.LEASED else lease.state}"


def _canonical(result: Any) -> bytes:
    try:
        canonical = encode(result)
    except (ValueError, TypeError, RecursionError) as error:
        raise UnusableResult(f"The result has no canonical form: {error}") from None
    if len(canonical) > RESULT_BYTES:
        raise ResultTooLarge(limit=RESULT_BYTES)
    return canonical


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
