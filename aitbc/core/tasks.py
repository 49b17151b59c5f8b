"""Celery entry points of the core."""

from __future__ import annotations

from celery import shared_task

from aitbc.core.messaging import maintenance


@shared_task(soft_time_limit=840, time_limit=900)
def prune_inboxes() -> int:
    """Forget deliveries older than 30 days: older than any backup of a source that would be restored."""
    return maintenance.prune(days=30)
