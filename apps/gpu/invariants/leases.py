"""Invariants of leases: one holder, rising attempts, one result (I4, I5, I7, I8, I30)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from aitbc.core.invariants import each_chunk, invariant
from apps.ai.interface import billed_attempts, counted_attempts, job_views
from apps.gpu.invariants.queries import rows
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


@invariant("I4", db="gpu")
def one_holder_at_a_time() -> Iterable[str]:
    """No job is in two miners' hands at one time."""
    return [f"job {job} was held twice at one time" for (job,) in rows(TWO_HOLDERS)]


@invariant("I5", db="gpu")
def attempts_rise() -> Iterable[str]:
    """The attempt of a job's leases rises; only an undelivered one is granted again."""
    return [f"job {job}: attempt {attempt} follows {before}" for job, attempt, before in rows(ATTEMPT_FALLS)]


@invariant("I7", db="gpu")
def one_result_each() -> Iterable[str]:
    """A job has at most one accepted result."""
    return [f"job {job} has {count} accepted results" for job, count in rows(TWO_RESULTS)]


@invariant("I8", db="gpu")
def nobody_holds_more_than_declared() -> Iterable[str]:
    """No miner holds more leases than it declared since it last changed."""
    return [f"miner {name} holds {count} of {slots}" for name, slots, count in rows(TOO_MANY)]


@invariant("I7b", db="gpu", quiescent=True)
def an_accepted_result_wins() -> Iterable[str]:
    """A job whose result was accepted succeeded, and no job is billed for more than its lease metered."""
    yield from each_chunk(Lease.objects.filter(state=LeaseState.COMPLETED), _accepted_in_vain)
    yield from _billed_beyond_the_lease()


def _accepted_in_vain(leases: list[Lease]) -> Iterator[str]:
    jobs = job_views(lease.job_id for lease in leases)
    for lease in leases:
        job = jobs.get(lease.job_id)
        if job is not None and not job.has_result:
            yield f"job {lease.job_id} is {job.state}, but its result of attempt {lease.attempt} was accepted"


def _billed_beyond_the_lease() -> Iterator[str]:
    bills = billed_attempts()
    while billed := list(islice(bills, CHUNK)):
        metered = Lease.objects.filter(job_id__in=[one.job_id for one in billed])
        most = {(job, n): ms for job, n, ms in metered.values_list("job_id", "attempt", "metered_ms")}
        for one in billed:
            if one.billed_ms > most.get((one.job_id, one.attempt), 0):
                yield f"job {one.job_id} is billed {one.billed_ms} ms, more than the lease of attempt {one.attempt} ran"


@invariant("I30", db="gpu", quiescent=True)
def leases_and_jobs_agree() -> Iterable[str]:
    """What miners hold and have delivered is what the jobs say, once all messages have arrived."""
    yield from _jobs_without_their_lease()
    yield from _leases_without_their_job()


def _jobs_without_their_lease() -> Iterator[str]:
    attempts = counted_attempts()
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
    held = Lease.objects.filter(state__in=[LeaseState.LEASED, LeaseState.COMPLETED], cancel_at=None)
    yield from each_chunk(held, _held_without_need)


def _held_without_need(leases: list[Lease]) -> Iterator[str]:
    jobs = job_views(lease.job_id for lease in leases)
    for lease in leases:
        job, what = jobs.get(lease.job_id), f"attempt {lease.attempt} of job {lease.job_id} is {lease.state}"
        if job is None and lease.state == LeaseState.LEASED:
            yield f"{what}, the job is unknown"
        elif job is not None and job.state in ("submitted", "queued"):
            yield f"{what}, the job is {job.state}"
