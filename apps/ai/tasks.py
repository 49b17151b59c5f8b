"""Celery entry points of the ai domain: sweeps; two at once do no harm."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from aitbc.core import idempotency
from apps.ai.models import IdempotencyRecord
from apps.ai.services import artifacts, deadlines, reconciliation, results

IDEMPOTENCY_RETENTION = timedelta(hours=48)


@shared_task
def expire_overdue() -> int:
    """End jobs whose queue or total deadline has passed, until none is left; returns how many."""
    total = 0
    while ended := deadlines.expire_overdue():
        total += ended
    return total


@shared_task
def reconcile() -> int:
    """Emit again the facts that trading has not acted on; returns how many."""
    return reconciliation.reconcile()


@shared_task(soft_time_limit=840, time_limit=900)
def collect_artifacts() -> int:
    """Remove large results past their retention, then artifacts and blobs that nothing uses; returns how many blobs."""
    while results.remove_old():
        pass
    return artifacts.collect_unused()


@shared_task(soft_time_limit=840, time_limit=900)
def purge_idempotency_records() -> int:
    """Delete idempotency records that are older than any client's retry; returns how many."""
    return idempotency.purge(IdempotencyRecord, before=timezone.now() - IDEMPOTENCY_RETENTION)
