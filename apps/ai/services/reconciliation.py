"""Level-triggered repair, each minute: facts not acted on are emitted again, with the same key.

Receivers are idempotent by job, so a repeated fact costs a row and changes nothing. A fact that is still in the outbox,
be it as a dead letter, is not repeated: dead letters are counted at /ready and wait for an operator.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from aitbc.core.db import atomic
from aitbc.core.messaging import Event, emit
from apps.ai.models import AIJob, AIJobQuerySet, AIJobResult, Outbox
from apps.ai.services import event_builders

GRACE = timedelta(minutes=1)
BATCH = 500


def reconcile(*, grace: timedelta = GRACE) -> int:
    """Emit again the facts of jobs that have waited for trading or gpu for longer than grace; returns how many."""
    before, jobs = timezone.now() - grace, AIJob.objects
    return (
        _emit_again(jobs.hold_pending(before).order_by("created_at", "pk"), event_builders.submitted, "trading")
        + _emit_again(jobs.receipt_pending(before).order_by("completed_at", "pk"), _completed, "trading")
        + _emit_again(jobs.refund_pending(before).order_by("completed_at", "pk"), event_builders.ended, "trading")
        + _emit_again(jobs.withdrawal_pending(before).order_by("due_at", "pk"), event_builders.withdrawn, "gpu")
    )


def _emit_again(stuck: AIJobQuerySet, fact: Callable[[AIJob], Event], consumer: str) -> int:
    with atomic(AIJob):
        lost = list(stuck.exclude(Outbox.objects.about(consumer)).select_for_update(skip_locked=True)[:BATCH])
        emit(*(fact(job) for job in lost), by="ai")
    return len(lost)


def _completed(job: AIJob) -> Event:
    return event_builders.completed(job, AIJobResult.objects.get(pk=job.pk))
