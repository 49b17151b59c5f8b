"""Celery entry points of the ai domain: sweeps; two at once do no harm."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from aitbc.core import idempotency
from apps.ai.models import IdempotencyRecord
from apps.ai.services import artifacts, deadlines, reconciliation

ANSWERS_KEPT = timedelta(hours=48)


@shared_task
def expire_overdue() -> int:
    """End jobs whose queue or total time is over, until none is left."""
    total = 0
    while ended := deadlines.expire_overdue():
        total += ended
    return total


@shared_task
def reconcile() -> int:
    """Repeat facts that trading has not answered."""
    return reconciliation.reconcile()


@shared_task(soft_time_limit=840, time_limit=900)
def collect_artifacts() -> int:
    """Remove blobs that nobody claims any more."""
    return artifacts.forget_unneeded()


@shared_task(soft_time_limit=840, time_limit=900)
def forget_answers() -> int:
    """Forget stored answers older than any client's retry."""
    return idempotency.purge(IdempotencyRecord, before=timezone.now() - ANSWERS_KEPT)
