"""The deadlines that ai enforces: the time in the queue and the total time of a job.

gpu enforces the other three (start, heartbeat, execution), because only gpu talks to miners; their codes arrive with
LeaseExpired. The table of all five is in docs/jobs.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from aitbc.core.db import atomic
from apps.ai.logic.outcomes import Outcome
from apps.ai.models import AIJob
from apps.ai.services.job_endings import Ending, end
from apps.ai.services.jobs import elapsed_ms
from apps.ai.states import JobState
from apps.gpu.interface import holder

BATCH = 500
RUNNING_BATCH = 100  # each costs a query to gpu
DELIVERY_GRACE = timedelta(minutes=5)

REASONS = {
    Outcome.QUEUE_TIMEOUT: "no miner took the job in time",
    Outcome.TOTAL_TIMEOUT: "the job's whole time is over",
}


def expire_overdue(*, now: datetime | None = None, limit: int = BATCH) -> int:
    """End waiting jobs (at most limit) and running ones (at most 100) past their deadline; returns how many.

    Rows that another transaction has locked are left for the next sweep.
    """
    now = now or timezone.now()
    waiting = AIJob.objects.overdue(now).exclude(state=JobState.RUNNING).order_by("due_at")[:limit]
    running = AIJob.objects.overdue(now).filter(state=JobState.RUNNING).order_by("due_at")[:RUNNING_BATCH]
    overdue = [job for job in running if _can_expire(job, now)]
    return _expire([*waiting.values_list("pk", flat=True), *(job.pk for job in overdue)], now)


def _can_expire(job: AIJob, now: datetime) -> bool:
    """Whether a running job may expire: a miner holds its lease, or five minutes have passed.

    Without a lease its end is in gpu's outbox, and may be a result that was accepted in time.
    """
    return holder(job.pk) is not None or job.expires_at + DELIVERY_GRACE < now


def _expire(ids: Iterable[UUID], now: datetime) -> int:
    with atomic(AIJob):
        jobs = list(
            AIJob.objects.overdue(now).filter(pk__in=list(ids)).order_by("pk").select_for_update(skip_locked=True)
        )
        end(_endings(jobs, now))
    return len(jobs)


def _endings(jobs: Sequence[AIJob], now: datetime) -> list[Ending]:
    return [
        Ending(
            job=job, to=JobState.EXPIRED, outcome=outcome, reason=REASONS[outcome], actor="ai:sweep",
            metered_ms=elapsed_ms(job, now),
        )
        for job in jobs
        for outcome in [outcome_for(job, now)]
    ]  # fmt: skip


def outcome_for(job: AIJob, now: datetime) -> Outcome:
    """Return queue_timeout for a queued job that never ran or still has total time left, else total_timeout."""
    if job.state != JobState.QUEUED:
        return Outcome.TOTAL_TIMEOUT
    return Outcome.QUEUE_TIMEOUT if job.attempt == 0 or now < job.expires_at else Outcome.TOTAL_TIMEOUT
