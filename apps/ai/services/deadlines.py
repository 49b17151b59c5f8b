"""The deadlines that ai enforces: the time in the queue, the total time of a job, and the time gpu has for its answer.

gpu enforces the other three (start, heartbeat, execution), because only gpu talks to miners; their codes arrive with
LeaseExpired. The table of all is in docs/jobs.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from aitbc.core.db import atomic
from apps.ai.logic.outcomes import Outcome
from apps.ai.models import AIJob
from apps.ai.services.job_endings import Ending, end, end_of, stop
from apps.ai.states import JobState
from apps.gpu.interface import with_result

BATCH = 500

REASONS = {
    Outcome.QUEUE_TIMEOUT: "no miner took the job in time",
    Outcome.TOTAL_TIMEOUT: "the job's whole time is over",
}


def expire_overdue(*, now: datetime | None = None, limit: int = BATCH) -> int:
    """Stop jobs past their deadline, and end those of which gpu has not said in time what ran; returns how many.

    Rows that another transaction has locked are left for the next sweep.
    """
    now = now or timezone.now()
    overdue = AIJob.objects.overdue(now).order_by("due_at", "pk")
    open_jobs = overdue.exclude(state=JobState.CANCELLING).values_list("pk", flat=True)[:limit]
    unanswered = overdue.filter(state=JobState.CANCELLING).values_list("pk", flat=True)[:limit]
    return _stop(open_jobs, now) + _give_up(_without_result(list(unanswered)), now)


def _stop(ids: Iterable[UUID], now: datetime) -> int:
    with atomic(AIJob):
        jobs = _locked(ids, now)
        stop([_expiry(job, outcome_for(job, now)) for job in jobs if job.state != JobState.CANCELLING])
    return len(jobs)


def _give_up(ids: Iterable[UUID], now: datetime) -> int:
    with atomic(AIJob):
        jobs = [job for job in _locked(ids, now) if job.state == JobState.CANCELLING]
        reason = "nobody could say in time what had run: full refund"
        end([
            Ending(
                job=job, to=end_of(Outcome(job.outcome)), outcome=Outcome.PLATFORM_FAULT, actor="ai:sweep",
                reason=f"{job.error}; {reason}",
            )
            for job in jobs
        ])  # fmt: skip
    return len(jobs)


def _without_result(ids: Sequence[UUID]) -> Sequence[UUID]:
    """Those of these jobs that have no accepted result; all of them while gpu cannot be read."""
    try:
        accepted = with_result(ids) if ids else set()
    except (OperationalError, InterfaceError):
        return ids
    return [pk for pk in ids if pk not in accepted]


def _locked(ids: Iterable[UUID], now: datetime) -> list[AIJob]:
    overdue = AIJob.objects.overdue(now).filter(pk__in=list(ids))
    return list(overdue.order_by("pk").select_for_update(skip_locked=True))


def _expiry(job: AIJob, outcome: Outcome) -> Ending:
    return Ending(job=job, to=JobState.EXPIRED, outcome=outcome, reason=REASONS[outcome], actor="ai:sweep")


def outcome_for(job: AIJob, now: datetime) -> Outcome:
    """Return queue_timeout for a queued job that never ran or still has total time left, else total_timeout."""
    if job.state != JobState.QUEUED:
        return Outcome.TOTAL_TIMEOUT
    return Outcome.QUEUE_TIMEOUT if job.attempt == 0 or now < job.expires_at else Outcome.TOTAL_TIMEOUT
