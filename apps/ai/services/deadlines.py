"""Deadlines that ai itself keeps: waiting in the queue, and a job's whole time.

gpu keeps the other three (start, heartbeat, execution) because it alone hears the miners; their
codes arrive with LeaseExpired.
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
from apps.ai.services.jobs import run_so_far
from apps.ai.states import JobState
from apps.gpu.interface import holder

BATCH = 500
ASKED = 100  # running jobs looked up at gpu in one sweep
NEWS_MAY_TAKE = timedelta(minutes=5)

REASONS = {
    Outcome.QUEUE_TIMEOUT: "no miner took the job in time",
    Outcome.TOTAL_TIMEOUT: "the job's whole time is over",
}


def expire_overdue(*, now: datetime | None = None, limit: int = BATCH) -> int:
    """End jobs whose deadline has passed, in batches that skip what others hold; returns how many."""
    now = now or timezone.now()
    waiting = AIJob.objects.overdue(now).exclude(state=JobState.RUNNING).order_by("due_at")[:limit]
    running = AIJob.objects.overdue(now).filter(state=JobState.RUNNING).order_by("due_at")[:ASKED]
    overdue = [job for job in running if _still_held(job, now)]
    return _expire([*waiting.values_list("pk", flat=True), *(job.pk for job in overdue)], now)


def _still_held(job: AIJob, now: datetime) -> bool:
    """Whether the miner still works on it. If not, gpu's news is under way: a result accepted in time must not be lost.

    News that takes longer than five minutes will not come.
    """
    return holder(job.pk) is not None or job.expires_at + NEWS_MAY_TAKE < now


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
            job=job, to=JobState.EXPIRED, outcome=outcome, reason=REASONS[outcome], actor="ai:janitor",
            metered_ms=run_so_far(job, now),
        )
        for job in jobs
        for outcome in [outcome_for(job, now)]
    ]  # fmt: skip


def outcome_for(job: AIJob, now: datetime) -> Outcome:
    """A job that never left the queue timed out there; one whose whole time is over, as a whole."""
    if job.state != JobState.QUEUED:
        return Outcome.TOTAL_TIMEOUT
    return Outcome.QUEUE_TIMEOUT if job.attempt == 0 or now < job.expires_at else Outcome.TOTAL_TIMEOUT
