"""What must always be true of leases, waiting work and cards; each query names what breaks it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from aitbc.core.db import cursor
from aitbc.core.invariants import invariant
from apps.ai.interface import attempts_that_count, job_views
from apps.gpu.models import Lease
from apps.gpu.states import LeaseState

CHUNK = 1_000

TWO_HOLDERS = """SELECT a.job_id FROM gpu_lease a JOIN gpu_lease b ON a.job_id = b.job_id AND a.id < b.id
WHERE a.granted_at < coalesce(b.ended_at, 'infinity') AND b.granted_at < coalesce(a.ended_at, 'infinity')"""
ATTEMPT_FALLS = """SELECT job_id, attempt, before FROM (
  SELECT job_id, attempt, lag(attempt) OVER (PARTITION BY job_id ORDER BY id) AS before,
    lag(state) OVER (PARTITION BY job_id ORDER BY id) AS ended FROM gpu_lease) l
WHERE attempt < before OR (attempt = before AND ended <> 'released')"""
TWO_RESULTS = """SELECT job_id, count(*) FROM gpu_lease WHERE state = 'completed' GROUP BY 1 HAVING count(*) > 1"""
TOO_MANY = """SELECT m.name, m.concurrency, count(*) FROM gpu_miner m JOIN gpu_lease l ON l.miner_id = m.id
WHERE l.state = 'leased' AND l.granted_at > m.changed_at GROUP BY m.id HAVING count(*) > m.concurrency"""
ASTRAY = """SELECT w.job_id, w.attempt FROM gpu_work w WHERE w.state = 'leased'
AND NOT EXISTS (SELECT FROM gpu_lease l WHERE l.work_id = w.id AND l.state = 'leased')
UNION ALL SELECT l.job_id, l.attempt FROM gpu_lease l WHERE l.state = 'leased'
AND NOT EXISTS (SELECT FROM gpu_work w WHERE w.id = l.work_id AND w.state = 'leased')"""
CLASSLESS = """SELECT w.job_id, w.class_id FROM gpu_work w WHERE w.state IN ('waiting', 'delayed')
AND NOT EXISTS (SELECT FROM gpu_requirementclass c WHERE c.id = w.class_id)"""

# U5: a card is set aside or lent exactly when one held booking has it.
UNHELD = """SELECT g.id, g.state FROM gpu_gpuregistry g WHERE g.state IN ('reserved', 'busy') AND NOT EXISTS (
  SELECT FROM gpu_reservation r WHERE r.booking_id = g.booking_id AND r.held_at IS NOT NULL AND r.closed_at IS NULL
    AND g.id = ANY (r.gpu_ids))"""
HELD_TWICE = """SELECT card, count(*) FROM gpu_reservation r, unnest(r.gpu_ids) card
WHERE r.held_at IS NOT NULL AND r.closed_at IS NULL GROUP BY card HAVING count(*) > 1"""
IDLE = """SELECT r.booking_id, g.id, g.state FROM gpu_reservation r JOIN gpu_gpuregistry g ON g.id = ANY (r.gpu_ids)
WHERE r.held_at IS NOT NULL AND r.closed_at IS NULL AND r.broken_at IS NULL
  AND g.state <> CASE WHEN r.started_at IS NULL THEN 'reserved' ELSE 'busy' END"""
# Granted since the miner last changed (as for I8): bookings change it.
OTHERS = """SELECT l.job_id, m.name FROM gpu_lease l JOIN gpu_miner m ON m.id = l.miner_id
JOIN gpu_requirementclass c ON c.id = l.class_id
WHERE l.state = 'leased' AND l.granted_at > m.changed_at AND l.cancel_at IS NULL AND CASE
  WHEN c.requirement->>'booking_id' IS NULL THEN coalesce((m.booked->>'taken')::bool, false)
  ELSE NOT coalesce(m.booked->'bookings', '[]') @> jsonb_build_array(
    jsonb_build_object('booking_id', c.requirement->>'booking_id')) END"""
DISPUTED = """SELECT uuid, count(*) FROM gpu_gpuregistry WHERE uuid <> '' AND state NOT IN ('quarantined', 'retired')
GROUP BY uuid HAVING count(*) > 1"""


def _rows(query: str) -> list[tuple[object, ...]]:
    with cursor(Lease) as sql:
        sql.execute(query)
        return list(sql.fetchall())


@invariant("I4", db="gpu")
def one_holder_at_a_time() -> Iterable[str]:
    """No job is in two miners' hands at one time."""
    return [f"job {job} was held twice at one time" for (job,) in _rows(TWO_HOLDERS)]


@invariant("I5", db="gpu")
def attempts_rise() -> Iterable[str]:
    """The attempt of a job's leases rises; only an undelivered one is given again."""
    return [f"job {job}: attempt {attempt} follows {before}" for job, attempt, before in _rows(ATTEMPT_FALLS)]


@invariant("I7", db="gpu")
def one_result_each() -> Iterable[str]:
    """A job has at most one accepted result."""
    return [f"job {job} has {count} accepted results" for job, count in _rows(TWO_RESULTS)]


@invariant("I8", db="gpu")
def nobody_holds_more_than_declared() -> Iterable[str]:
    """No miner is given more than it declared since it last changed."""
    return [f"miner {name} holds {count} of {slots}" for name, slots, count in _rows(TOO_MANY)]


@invariant("I4b", db="gpu")
def work_and_leases_agree() -> Iterable[str]:
    """Work is leased exactly while its lease lives."""
    return [f"job {job} attempt {attempt}: work and lease disagree" for job, attempt in _rows(ASTRAY)]


@invariant("I4c", db="gpu")
def waiting_work_has_a_class() -> Iterable[str]:
    """Waiting work can be found: its requirement class exists."""
    return [f"job {job} waits in class {class_id}, which is gone" for job, class_id in _rows(CLASSLESS)]


@invariant("I30", db="gpu", quiescent=True)
def leases_and_jobs_agree() -> Iterable[str]:
    """What miners hold and have delivered is what the jobs say, once all messages have arrived."""
    yield from _jobs_without_their_lease()
    yield from _leases_without_their_job()


def _jobs_without_their_lease() -> Iterator[str]:
    attempts = attempts_that_count()
    while chunk := list(islice(attempts, CHUNK)):
        counting = Lease.objects.filter(job_id__in=[one.job_id for one in chunk]).exclude(
            state__in=[LeaseState.FAILED, LeaseState.EXPIRED, LeaseState.RELEASED]
        )
        known = set(counting.values_list("job_id", "attempt", "miner_id", "result_sha256"))
        for one in chunk:
            if (one.job_id, one.attempt, one.miner_id, one.result_sha256) not in known:
                what = "has another result than" if one.result_sha256 else "runs without"
                yield f"job {one.job_id} {what} the lease of attempt {one.attempt}"


def _leases_without_their_job() -> Iterator[str]:
    """Leases that live or have a result, of jobs that are unknown or still wait; withdrawn ones are leaving."""
    held = Lease.objects.filter(state__in=[LeaseState.LEASED, LeaseState.COMPLETED], cancel_at=None).order_by("pk")
    leases = held.values_list("job_id", "attempt", "state").iterator(CHUNK)
    while chunk := list(islice(leases, CHUNK)):
        jobs = job_views(job_id for job_id, _, _ in chunk)
        for job_id, attempt, state in chunk:
            job = jobs.get(job_id)
            if job is None and state == LeaseState.LEASED:
                yield f"attempt {attempt} of job {job_id} is {state}, the job is unknown"
            elif job is not None and job.state in ("submitted", "queued"):
                yield f"attempt {attempt} of job {job_id} is {state}, the job is {job.state}"


@invariant("U5", db="gpu")
def a_card_has_one_booking() -> Iterable[str]:
    """A card is reserved or busy exactly when one running booking has it."""
    return [
        *(f"card {card} is {state} without a booking that holds it" for card, state in _rows(UNHELD)),
        *(f"card {card} is in {count} bookings at once" for card, count in _rows(HELD_TWICE)),
        *(f"booking {booking} holds card {card}, which is {state}" for booking, card, state in _rows(IDLE)),
    ]


@invariant("I8b", db="gpu")
def booked_miners_work_for_their_renters() -> Iterable[str]:
    """A miner without a free card is given no ordinary job, and a booking's job is with its miner."""
    return [f"job {job} is with miner {name}, whose cards are somebody else's" for job, name in _rows(OTHERS)]


@invariant("U7", db="gpu")
def one_card_one_claim() -> Iterable[str]:
    """Outside of quarantine nobody else names the same UUID."""
    return [f"card {uuid} is claimed {count} times" for uuid, count in _rows(DISPUTED)]
