"""What other domains may read about jobs, as of now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.ai.events import JobCompleted, JobEnded
from apps.ai.models import AIJob
from apps.ai.services import event_builders
from apps.ai.states import ENDED_WITHOUT_RESULT, FINAL, WITH_RESULT, JobState


@dataclass(frozen=True, kw_only=True)
class JobView:
    """A job as other domains see it, without payload and result; `payment_amount` is in micro-AIT."""

    job_id: UUID
    owner_id: UUID
    state: str
    final: bool
    has_result: bool
    outcome: str
    task_type: str
    model: str
    attempt: int
    max_attempts: int
    priority: int
    miner_id: UUID | None
    payment_amount: int
    payment_status: str
    receipt_id: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class AttemptView:
    """The attempt that counts for a job: the running one, or the one whose result was accepted."""

    job_id: UUID
    attempt: int
    miner_id: UUID | None
    result_sha256: str  # empty while it runs


def counted_attempts() -> Iterator[AttemptView]:
    """Yield the attempt that counts for each job that runs or has a result, to be compared with the leases."""
    jobs = AIJob.objects.filter(state__in=[JobState.RUNNING, *WITH_RESULT]).order_by("pk")
    for job, attempt, miner, sha256 in jobs.values_list("pk", "attempt", "miner_id", "outcome_row__sha256").iterator():
        yield AttemptView(job_id=job, attempt=attempt, miner_id=miner, result_sha256=sha256 or "")


@dataclass(frozen=True, kw_only=True)
class BilledAttempt:
    """The milliseconds of one attempt that a client was billed for."""

    job_id: UUID
    attempt: int
    billed_ms: int


def billed_attempts() -> Iterator[BilledAttempt]:
    """Yield the attempts of all jobs that are billed, to be compared with the leases."""
    jobs = AIJob.objects.filter(billable_ms__gt=0).order_by("pk")
    for job_id, attempt, billed_ms in jobs.values_list("pk", "attempt", "billable_ms").iterator():
        yield BilledAttempt(job_id=job_id, attempt=attempt, billed_ms=billed_ms)


def job_view(job_id: UUID | str) -> JobView | None:
    """Return one job, or None when there is no such job."""
    return job_views([job_id]).get(UUID(str(job_id)))


def job_views(job_ids: Iterable[UUID | str]) -> dict[UUID, JobView]:
    """Return many jobs by id; those that do not exist are left out."""
    jobs = AIJob.objects.filter(pk__in=list(job_ids)).defer("payload", "constraints", "requirement")
    return {job.pk: _view(job) for job in jobs}


def final_facts(job_ids: Iterable[UUID | str]) -> dict[UUID, JobCompleted | JobEnded]:
    """Return the fact by which ai reported the end of each of these jobs, deleted ones included; refused and unfinished
    ones are left out."""
    ended = AIJob.objects.filter(pk__in=list(job_ids), state__in=[*WITH_RESULT, *ENDED_WITHOUT_RESULT])
    jobs = ended.select_related("outcome_row").defer("payload", "constraints", "requirement", "outcome_row__result")
    return {
        job.pk: event_builders.completed(job, job.outcome_row)
        if job.state in WITH_RESULT
        else event_builders.ended(job)
        for job in jobs
    }


def _view(job: AIJob) -> JobView:
    return JobView(
        job_id=job.pk, owner_id=job.owner_id, state=job.state, final=job.state in FINAL,
        has_result=job.state in WITH_RESULT, outcome=job.outcome,
        task_type=job.task_type, model=job.model, attempt=job.attempt, max_attempts=job.max_attempts,
        priority=job.priority, miner_id=job.miner_id, payment_amount=job.payment_amount,
        payment_status=job.payment_status, receipt_id=job.receipt_id, created_at=job.created_at,
        started_at=job.started_at, completed_at=job.completed_at, expires_at=job.expires_at,
    )  # fmt: skip
