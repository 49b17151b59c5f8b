"""Ending jobs without a result: outcome, amount due, dead letter and facts come from here.

What gpu knows of is not ended by ai alone: a miner may have delivered a result that is on its way here. Such a job is
`cancelling` until gpu, which owns the lease, answers with what ran (`conclude`), or the result arrives and wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from aitbc.core import params
from aitbc.core.messaging import emit
from aitbc.core.states import Transition
from apps.ai.logic.outcomes import Outcome
from apps.ai.logic.refunds import billable_ms
from apps.ai.models import AIJob, DeadLetter
from apps.ai.services import artifacts, event_builders
from apps.ai.services.job_transitions import advance_each
from apps.ai.states import KNOWN_TO_GPU, JobState
from apps.gpu.events import LeaseExpired, LeaseFailed, WorkWithdrawn

EXPIRIES = (Outcome.QUEUE_TIMEOUT, Outcome.TOTAL_TIMEOUT)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How one job ends. metered_ms is how long its last attempt ran; logic/refunds.py decides whether it is due."""

    job: AIJob
    to: JobState
    outcome: Outcome
    reason: str
    actor: str
    metered_ms: int = 0


def stop(endings: Sequence[Ending]) -> None:
    """End these jobs, which the transaction has locked: those that gpu knows of as soon as it has answered.

    Those that are being cancelled already stay so.
    """
    known = [one for one in endings if one.job.state in KNOWN_TO_GPU]
    unknown = [one for one in endings if one.job.state == JobState.SUBMITTED]
    _withdraw(known)
    end(unknown)


def conclude(events: Sequence[WorkWithdrawn | LeaseFailed | LeaseExpired]) -> None:
    """End the jobs that are being cancelled and of which gpu now says that nothing runs any more.

    What a withdrawn miner computed is metered; a lease that had failed or expired before costs nothing.
    """
    by_id = {event.job_id: event for event in events}
    jobs = [job for job in AIJob.objects.locked(by_id) if job.state == JobState.CANCELLING]
    end([_conclusion(job, by_id[str(job.pk)]) for job in jobs if answers(job, by_id[str(job.pk)])])


def answers(job: AIJob, event: WorkWithdrawn | LeaseFailed | LeaseExpired) -> bool:
    """Whether this is about the attempt that the job is in; an answer without an attempt says that none runs."""
    return event.attempt in (0, job.attempt)


def end(endings: Sequence[Ending]) -> None:
    """End these jobs, which the transaction has locked and which no miner has; report to trading.

    Raises StateConflict when a job cannot be ended from its present state.
    """
    if not endings:
        return
    advance_each([_transition(one) for one in endings])
    DeadLetter.objects.bulk_create(
        DeadLetter(job=one.job, code=one.outcome, reason=one.reason[:2000], attempts=one.job.attempt)
        for one in endings
        if one.to == JobState.DEAD
    )
    artifacts.release_inputs([one.job for one in endings])
    emit(*(event_builders.ended(one.job) for one in endings), by="ai")


def _withdraw(endings: Sequence[Ending]) -> None:
    """Ask gpu to let go of these jobs; outcome and reason are those of the ending to come."""
    if not endings:
        return
    due = timezone.now() + timedelta(seconds=params.get("jobs.cancel_deadline_s"))
    advance_each([
        Transition(
            subject=one.job, to=JobState.CANCELLING, actor=one.actor, reason=one.reason,
            detail={"outcome": str(one.outcome)},
            fields={"outcome": str(one.outcome), "error": one.reason[:2000], "due_at": due},
        )
        for one in endings
    ])  # fmt: skip
    emit(*(event_builders.withdrawn(one.job) for one in endings), by="ai")


def _conclusion(job: AIJob, event: WorkWithdrawn | LeaseFailed | LeaseExpired) -> Ending:
    outcome, ran = Outcome(job.outcome), 0
    if outcome is Outcome.CANCELLED_BEFORE_START and job.attempt:
        outcome = Outcome.CANCELLED_AFTER_START
    if isinstance(event, WorkWithdrawn) and event.attempt:
        ran = min(max(0, event.metered_ms), job.execution_seconds * 1000)
    return Ending(job=job, to=end_of(outcome), outcome=outcome, reason=job.error, actor="gpu", metered_ms=ran)


def end_of(outcome: Outcome) -> JobState:
    """Return the state in which a job that is being cancelled for this reason ends."""
    return JobState.EXPIRED if outcome in EXPIRIES else JobState.CANCELLED


def _transition(one: Ending) -> Transition:
    billable = billable_ms(one.outcome, one.metered_ms)
    fields = {
        "outcome": str(one.outcome), "error": one.reason[:2000], "billable_ms": billable,
        "completed_at": timezone.now(), "due_at": None,
    }  # fmt: skip
    detail = {"outcome": str(one.outcome), "billable_ms": billable, "attempt": one.job.attempt}
    return Transition(subject=one.job, to=one.to, actor=one.actor, reason=one.reason, detail=detail, fields=fields)
