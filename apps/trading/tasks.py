"""Celery entry points of trading: sweeps; two at once do no harm."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from aitbc.core import idempotency
from apps.trading.models import IdempotencyRecord
from apps.trading.services import escrow_reconciliation, ledger, payments
from apps.trading.tasks_log import seal_log

# Celery looks for a domain's tasks in this module.
__all__ = ["forget_answers", "reconcile_escrows", "release_overdue_holds", "seal_log", "take_snapshot"]

ANSWERS_KEPT = timedelta(hours=48)


@shared_task(soft_time_limit=840, time_limit=900)
def take_snapshot() -> int:
    """Write down every balance, once a day."""
    return ledger.take_snapshot()


@shared_task
def release_overdue_holds() -> int:
    """Give back money that was held longer than any job lives."""
    return payments.release_overdue()


@shared_task
def reconcile_escrows() -> int:
    """Close the escrows and bonds of bookings and bids that are over, should the fact have been lost."""
    return escrow_reconciliation.reconcile()


@shared_task(soft_time_limit=840, time_limit=900)
def forget_answers() -> int:
    """Forget stored answers older than any client's retry."""
    return idempotency.purge(IdempotencyRecord, before=timezone.now() - ANSWERS_KEPT)
