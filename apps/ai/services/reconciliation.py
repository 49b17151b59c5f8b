"""Level-triggered repair, each minute: facts not acted on are emitted again, with the same key.

Receivers are idempotent by job, so a repeated fact costs a row and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
        _emit_again(jobs.hold_pending(before).order_by("created_at"), event_builders.submitted, "trading")
        + _emit_again(jobs.receipt_pending(before).order_by("completed_at"), _completed, "trading")
        + _emit_again(jobs.refund_pending(before).order_by("completed_at"), event_builders.ended, "trading")
        + _emit_again(jobs.withdrawal_pending(before).order_by("due_at"), event_builders.withdrawn, "gpu")
    )


def _emit_again(stuck: AIJobQuerySet, fact: Callable[[AIJob], Event], consumer: str) -> int:
    with atomic(AIJob):
        jobs = list(stuck.select_for_update(skip_locked=True)[:BATCH])
        undelivered = _undelivered(jobs, consumer)
        lost = [job for job in jobs if job.pk not in undelivered]
        emit(*(fact(job) for job in lost), by="ai")
    return len(lost)


def _undelivered(jobs: Iterable[AIJob], consumer: str) -> set[object]:
    """Jobs whose facts are still in the outbox: repeating those would only lengthen it."""
    by_key = {str(job.pk): job.pk for job in jobs}
    keys = Outbox.objects.waiting().filter(consumer=consumer, key__in=list(by_key)).values_list("key", flat=True)
    return {by_key[key] for key in keys}


def _completed(job: AIJob) -> Event:
    return event_builders.completed(job, AIJobResult.objects.get(pk=job.pk))
