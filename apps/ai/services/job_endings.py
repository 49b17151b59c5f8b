"""Ending jobs without a result: outcome, amount due, dead letter and facts come from this one function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from aitbc.core.messaging import emit
from aitbc.core.states import Transition
from apps.ai.logic.outcomes import Outcome
from apps.ai.logic.refunds import billable_ms
from apps.ai.models import AIJob, DeadLetter
from apps.ai.services import event_builders
from apps.ai.services.job_transitions import advance_each
from apps.ai.states import JobState


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How one job ends. metered_ms is how long its last attempt ran; logic/refunds.py decides whether it is due."""

    job: AIJob
    to: JobState
    outcome: Outcome
    reason: str
    actor: str
    metered_ms: int = 0


def end(endings: Sequence[Ending]) -> None:
    """End these jobs, which the transaction has locked; withdraw queued and running ones from gpu, report to trading.

    Raises StateConflict when a job cannot be ended from its present state.
    """
    if not endings:
        return
    known_to_gpu = [one.job for one in endings if one.job.state in (JobState.QUEUED, JobState.RUNNING)]
    advance_each([_transition(one) for one in endings])
    DeadLetter.objects.bulk_create(
        DeadLetter(job=one.job, code=one.outcome, reason=one.reason[:2000], attempts=one.job.attempt)
        for one in endings
        if one.to == JobState.DEAD
    )
    emit(
        *(event_builders.withdrawn(job) for job in known_to_gpu),
        *(event_builders.ended(one.job) for one in endings),
        by="ai",
    )


def _transition(one: Ending) -> Transition:
    billable = billable_ms(one.outcome, one.metered_ms)
    fields = {
        "outcome": str(one.outcome), "error": one.reason[:2000], "billable_ms": billable,
        "completed_at": timezone.now(), "due_at": None,
    }  # fmt: skip
    detail = {"outcome": str(one.outcome), "billable_ms": billable}
    return Transition(subject=one.job, to=one.to, actor=one.actor, reason=one.reason, detail=detail, fields=fields)
