"""What operators may do to any job; each action is recorded with its reason."""

from __future__ import annotations

from django.utils import timezone

from aitbc.core.db import atomic
from aitbc.core.messaging import emit
from apps.ai.events import JobPrioritized
from apps.ai.logic.outcomes import Outcome
from apps.ai.models import AIJob, OperatorAct
from apps.ai.services.job_endings import Ending, stop
from apps.ai.services.job_transitions import notify
from apps.ai.states import FINAL, JobState

TOP_PRIORITY = 100


def prioritize(*, job: AIJob, actor: str, reason: str, priority: int = TOP_PRIORITY) -> AIJob:
    """Set the priority of a job that is submitted or queued, and record who did it; returns the job.

    Raises StateConflict once it runs or has ended.
    """
    with atomic(AIJob):
        (job,) = AIJob.objects.locked([job.pk])
        if job.state not in (JobState.SUBMITTED, JobState.QUEUED):
            raise job.conflict(JobState.RUNNING)
        previous, job.priority = job.priority, priority
        job.save(update_fields=["priority"])
        _record(job, act="prioritize", actor=actor, reason=reason, detail={"from": previous, "to": priority})
        if job.state == JobState.QUEUED:
            emit(JobPrioritized(job_id=str(job.pk), priority=priority), by="ai")
    return job


def delete(*, job: AIJob, actor: str, reason: str) -> AIJob:
    """Take a job out of its owner's lists; an unfinished one is cancelled, with a full refund. Returns it; idempotent.

    A job whose result was accepted, also on its way here, is still paid for, as its miner did the work. By its id the
    owner can read any job, with its result, payment and receipt: it has paid for them.
    """
    with atomic(AIJob):
        (job,) = AIJob.objects.locked([job.pk])
        if job.deleted_at is not None:
            return job
        if job.state not in (JobState.SUCCEEDED, *FINAL):
            stop([Ending(job=job, to=JobState.CANCELLED, outcome=Outcome.DELETED, reason=reason, actor=actor)])
        job.deleted_at = timezone.now()
        job.save(update_fields=["deleted_at"])
        _record(job, act="delete", actor=actor, reason=reason, detail={"state": job.state})
    notify([job.pk])
    return job


def _record(job: AIJob, *, act: str, actor: str, reason: str, detail: dict[str, object]) -> None:
    OperatorAct.objects.create(job=job, act=act, actor=actor, reason=reason[:300], detail=detail)
