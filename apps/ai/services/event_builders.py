"""Facts built from the rows of jobs, in one place, so that reconciliation emits exactly the same ones again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from apps.ai.events import JobCompleted, JobEnded, JobQueued, JobSubmitted, JobWithdrawn
from apps.ai.models import AIJob, AIJobResult


def submitted(job: AIJob) -> JobSubmitted:
    """Build the fact that a paid job was accepted."""
    return JobSubmitted(job_id=str(job.pk), owner_id=str(job.owner_id), amount=job.payment_amount)


def queued(
    job: AIJob, *, cost: int, not_before: datetime | None = None, excluded_owners: Iterable[UUID] = ()
) -> JobQueued:
    """Build the fact that a job may be leased, after `not_before` if set; cost is expected seconds of work."""
    return JobQueued(
        job_id=str(job.pk), owner_id=str(job.owner_id), task_type=job.task_type,
        requirement=job.requirement, constraints=job.constraints, payload=job.payload,
        input_sha256=job.input_sha256 if job.input_is_blob else None, input_size=job.input_size,
        priority=job.priority, cost=cost, attempt=job.attempt,
        not_before=not_before.isoformat() if not_before else None,
        start_seconds=job.start_seconds, heartbeat_seconds=job.heartbeat_seconds,
        execution_seconds=job.execution_seconds, paid=job.is_paid,
        excluded_owners=sorted(map(str, excluded_owners)),
    )  # fmt: skip


def withdrawn(job: AIJob) -> JobWithdrawn:
    """Build the fact that a job needs no miner any more."""
    return JobWithdrawn(job_id=str(job.pk), reason=job.outcome)


def completed(job: AIJob, result: AIJobResult) -> JobCompleted:
    """Build the fact that a result was accepted."""
    return JobCompleted(
        job_id=str(job.pk), owner_id=str(job.owner_id), task_type=job.task_type, model=job.model,
        miner_id=str(result.miner_id), provider_id=str(result.provider_id), attempt=result.attempt,
        rate=result.rate, metered_ms=result.metered_ms, started_at=result.started_at.isoformat(),
        ended_at=result.ended_at.isoformat(), salt=job.salt, payload_sha256=job.payload_sha256,
        artifacts=job.artifacts, output_sha256=result.sha256, paid=job.is_paid,
    )  # fmt: skip


def ended(job: AIJob) -> JobEnded:
    """Build the fact that a job ended without a result."""
    return JobEnded(
        job_id=str(job.pk), owner_id=str(job.owner_id), state=str(job.state), code=job.outcome,
        miner_id=_text(job.miner_id), provider_id=_text(job.provider_id), rate=job.rate,
        billable_ms=job.billable_ms, paid=job.is_paid, task_type=job.task_type, model=job.model, attempt=job.attempt,
        started_at=_moment(job.started_at), ended_at=_moment(job.completed_at), salt=job.salt,
        payload_sha256=job.payload_sha256, artifacts=job.artifacts,
    )  # fmt: skip


def _moment(value: datetime | None) -> str:
    return value.isoformat() if value else ""


def _text(value: UUID | None) -> str | None:
    return str(value) if value else None
