"""Level-triggered repair, each minute: what a lost fact should have caused is asked for again, with the same key.

Receivers are idempotent by job, so asking twice costs a row and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

from django.utils import timezone

from aitbc.core.db import atomic
from aitbc.core.messaging import Event, emit
from apps.ai.models import AIJob, AIJobQuerySet, AIJobResult, Outbox
from apps.ai.services import event_builders

PATIENCE = timedelta(minutes=1)
BATCH = 500


def reconcile(*, patience: timedelta = PATIENCE) -> int:
    """Repeat the facts of jobs that have waited on trading for longer than patience; returns how many."""
    before = timezone.now() - patience
    return (
        _repeat(AIJob.objects.hold_pending(before).order_by("created_at"), event_builders.submitted)
        + _repeat(AIJob.objects.receipt_pending(before).order_by("completed_at"), _completed)
        + _repeat(AIJob.objects.money_pending(before).order_by("completed_at"), event_builders.ended)
    )


def _repeat(stuck: AIJobQuerySet, fact: Callable[[AIJob], Event]) -> int:
    with atomic(AIJob):
        jobs = list(stuck.select_for_update(skip_locked=True)[:BATCH])
        quiet = [job for job in jobs if job.pk not in _still_speaking(jobs)]
        emit(*(fact(job) for job in quiet), by="ai")
    return len(quiet)


def _still_speaking(jobs: Iterable[AIJob]) -> set[object]:
    """Jobs whose facts are still on their way to trading: repeating those would only lengthen the queue."""
    by_key = {str(job.pk): job.pk for job in jobs}
    keys = Outbox.objects.waiting().filter(consumer="trading", key__in=list(by_key)).values_list("key", flat=True)
    return {by_key[key] for key in keys}


def _completed(job: AIJob) -> Event:
    return event_builders.completed(job, AIJobResult.objects.get(pk=job.pk))
