"""The attempts of a job: started, in progress, lost and retried, or the last one lost."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeGuard
from uuid import UUID

from django.utils import timezone

from aitbc.core.db import cursor
from aitbc.core.messaging import emit
from aitbc.core.states import Transition
from apps.ai.logic.amounts import in_ait
from apps.ai.logic.outcomes import Outcome, outcome_of
from apps.ai.logic.refunds import RULES, Fault
from apps.ai.models import AIJob
from apps.ai.services import event_builders, input_claims
from apps.ai.services.durations import expected_seconds
from apps.ai.services.job_endings import Ending, conclude, end
from apps.ai.services.job_transitions import advance_each, notify
from apps.ai.services.jobs import queue_deadline
from apps.ai.states import JobState
from apps.gpu.events import JobProgressed, LeaseExpired, LeaseFailed, LeaseGranted, LeaseReleased

MAX_BACK_OFF = 60.0  # seconds
NO_ATTEMPT: dict[str, Any] = {"started_at": None, "miner_id": None, "provider_id": None, "rate": 0}

PROGRESS = """UPDATE ai_job j SET progress = v.progress, progress_note = v.note, progress_seq = j.progress_seq + 1
FROM unnest(%s::uuid[], %s::int[], %s::float8[], %s::text[]) AS v(id, attempt, progress, note)
WHERE j.id = v.id AND j.attempt = v.attempt AND j.state = 'running' AND v.progress >= j.progress
RETURNING j.id"""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """An attempt that ended without a result."""

    job: AIJob
    outcome: Outcome
    reason: str
    actor: str
    metered_ms: int  # of which the client pays where the input is bad


def start(events: Sequence[LeaseGranted]) -> None:
    """Mark queued jobs as running that gpu has leased to a miner; a job that ended meanwhile stays ended.

    Of one that is being cancelled only the attempt is recorded: gpu's answer, or a result, is about it.
    """
    by_id = {event.job_id: event for event in events}
    jobs = AIJob.objects.locked(by_id)
    granted = [(job, by_id[str(job.pk)]) for job in jobs if _is_next_attempt(job, by_id[str(job.pk)])]
    starts = [_start(job, event) for job, event in granted if job.state == JobState.QUEUED]
    if starts:
        advance_each(starts)
    for job, event in granted:
        if job.state == JobState.CANCELLING:
            AIJob.objects.filter(pk=job.pk).update(**_attempt_fields(event))


def return_to_queue(events: Sequence[LeaseReleased]) -> None:
    """Undo the start of jobs whose lease never reached its miner; gpu has queued them again already.

    One that is being cancelled goes on waiting for gpu's answer.
    """
    by_id = {event.job_id: event for event in events}
    jobs = [job for job in AIJob.objects.locked(by_id) if _is_current_attempt(job, by_id[str(job.pk)])]
    now = timezone.now()
    advance_each([
        Transition(
            subject=job, to=JobState.QUEUED, actor="gpu", reason=f"attempt {job.attempt} never reached its miner",
            fields=_queued_fields(job, now) | {"attempt": job.attempt - 1},
        )
        for job in jobs if job.state == JobState.RUNNING
    ])  # fmt: skip
    for job in jobs:
        if job.state == JobState.CANCELLING:
            AIJob.objects.filter(pk=job.pk).update(**NO_ATTEMPT, attempt=job.attempt - 1)


def record_progress(events: Sequence[JobProgressed]) -> None:
    """Store the progress (0..1) of running attempts; progress of another attempt, or backwards, is ignored."""
    latest = {event.job_id: event for event in events}
    columns = [
        [UUID(event.job_id), event.attempt, min(max(float(event.progress), 0.0), 1.0), event.note[:300]]
        for event in latest.values()
    ]
    with cursor(AIJob) as sql:
        sql.execute(PROGRESS, [list(column) for column in zip(*columns, strict=True)])
        notify(row[0] for row in sql.fetchall())


def retry_or_end(events: Sequence[LeaseFailed | LeaseExpired]) -> None:
    """Queue the jobs of lost leases again, after a back-off, or end them: at max_attempts, or once their input is found
    to be bad (input_claims.py).

    Those that are being cancelled end as cancelled.
    """
    by_id = {event.job_id: event for event in events}
    jobs = [job for job in AIJob.objects.locked(by_id) if _is_current_attempt(job, by_id[str(job.pk)])]
    conclude([by_id[str(job.pk)] for job in jobs if job.state == JobState.CANCELLING])
    lost = [(job, by_id[str(job.pk)]) for job in jobs if job.state == JobState.RUNNING]
    due = input_claims.record([(job, event) for job, event in lost if _is_claim(event)])
    losses = [_loss(job, event, due.get(job.pk)) for job, event in lost]
    endings = [_ending(loss) for loss in losses if not _can_retry(loss)]
    _requeue([loss for loss in losses if _can_retry(loss)])
    end(endings)


def back_off(attempt: int) -> timedelta:
    """Return the pause after this attempt: 2, 4, 8 … 60 s, times a random factor 0.5..1 against thundering herds."""
    return timedelta(seconds=min(2.0**attempt, MAX_BACK_OFF) * random.uniform(0.5, 1.0))


def _is_next_attempt(job: AIJob, event: LeaseGranted) -> bool:
    waits = job.state in (JobState.QUEUED, JobState.CANCELLING)
    return waits and job.attempt < event.attempt <= job.max_attempts


def _is_current_attempt(job: AIJob, event: LeaseFailed | LeaseExpired | LeaseReleased) -> bool:
    return job.state in (JobState.RUNNING, JobState.CANCELLING) and job.attempt == event.attempt


def _start(job: AIJob, event: LeaseGranted) -> Transition:
    return Transition(
        subject=job, to=JobState.RUNNING, actor=f"miner:{event.miner_id}", reason=f"attempt {event.attempt}",
        detail={"attempt": event.attempt, **in_ait(rate=event.rate)},
        fields=_attempt_fields(event) | {"due_at": job.expires_at, "progress": 0.0, "progress_note": ""},
    )  # fmt: skip


def _attempt_fields(event: LeaseGranted) -> dict[str, Any]:
    """The columns that say who computes a job, since when and at what rate."""
    return {
        "attempt": event.attempt, "miner_id": UUID(event.miner_id), "provider_id": UUID(event.provider_id),
        "rate": event.rate, "started_at": datetime.fromisoformat(event.granted_at),
    }  # fmt: skip


def _is_claim(event: LeaseFailed | LeaseExpired) -> TypeGuard[LeaseFailed]:
    return isinstance(event, LeaseFailed) and event.code == input_claims.CODE


def _loss(job: AIJob, event: LeaseFailed | LeaseExpired, due_ms: int | None) -> Loss:
    """What the end of this lease means; `due_ms` is set when the input is now known to be bad."""
    message = event.message if isinstance(event, LeaseFailed) else ""
    actor = f"miner:{event.miner_id}" if isinstance(event, LeaseFailed) else "gpu"
    outcome = outcome_of(event.code) if due_ms is None else Outcome.BAD_INPUT
    metered_ms = min(max(0, event.metered_ms), job.execution_seconds * 1000) if due_ms is None else due_ms
    reason = f"attempt {event.attempt}: {outcome}" + (f": {message}" if message else "")
    return Loss(job=job, outcome=outcome, reason=reason, actor=actor, metered_ms=metered_ms)


def _can_retry(loss: Loss) -> bool:
    """Whether another miner may succeed: the input is not at fault and attempts are left."""
    return RULES[loss.outcome].fault is not Fault.CLIENT and loss.job.attempt < loss.job.max_attempts


def _ending(loss: Loss) -> Ending:
    to = JobState.FAILED if RULES[loss.outcome].fault is Fault.CLIENT else JobState.DEAD
    return Ending(
        job=loss.job, to=to, outcome=loss.outcome, reason=loss.reason, actor=loss.actor, metered_ms=loss.metered_ms
    )


def _queued_fields(job: AIJob, since: datetime) -> dict[str, Any]:
    """The columns of a job that is queued again."""
    return {
        **NO_ATTEMPT, "queued_at": since, "due_at": queue_deadline(job, since), "progress": 0.0, "progress_note": "",
    }  # fmt: skip


def _requeue(losses: Sequence[Loss]) -> None:
    if not losses:
        return
    pauses = {loss.job.pk: timezone.now() + back_off(loss.job.attempt) for loss in losses}
    claims = input_claims.claims_of(pauses)
    advance_each([
        Transition(
            subject=loss.job, to=JobState.QUEUED, actor=loss.actor, reason=loss.reason,
            detail={"attempt": loss.job.attempt, "code": str(loss.outcome), "metered_ms": loss.metered_ms},
            fields=_queued_fields(loss.job, pauses[loss.job.pk]),
        )
        for loss in losses
    ])  # fmt: skip
    emit(
        *(
            event_builders.queued(
                loss.job, cost=expected_seconds(loss.job), not_before=pauses[loss.job.pk],
                excluded_owners={claim.provider_id for claim in claims.get(loss.job.pk, ())},
            )
            for loss in losses
        ),
        by="ai",
    )  # fmt: skip
