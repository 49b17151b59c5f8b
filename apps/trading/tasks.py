"""Celery entry points of trading, each calling one service; two runs at once do no harm."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from aitbc.core import idempotency
from apps.trading.models import IdempotencyRecord
from apps.trading.services import escrow_reconciliation, ledger, log, payments, reversals, withdrawals

ANSWER_RETENTION = timedelta(hours=48)


@shared_task
def seal_log() -> int:
    """Seal the log when it is due; runs every second, returns how many entries were sealed."""
    return sum(block.count for block in log.seal_if_due())


@shared_task(soft_time_limit=840, time_limit=900)
def take_snapshot() -> int:
    """Store every account's balances, once a day; returns how many accounts."""
    return ledger.take_snapshot()


@shared_task
def release_overdue_holds() -> int:
    """Refund holds that are older than any job lives; returns how many."""
    return payments.release_overdue()


@shared_task
def reconcile_escrows() -> int:
    """End escrows and bonds whose booking or bid is over although its fact was lost; returns how many."""
    return escrow_reconciliation.reconcile()


@shared_task
def expire_proposals() -> int:
    """End what no operator decided in time; returns how many."""
    return reversals.expire_overdue() + withdrawals.expire_overdue()


@shared_task(soft_time_limit=840, time_limit=900)
def purge_idempotency_records() -> int:
    """Delete stored responses older than any client's retry; returns how many."""
    return idempotency.purge(IdempotencyRecord, before=timezone.now() - ANSWER_RETENTION)
