"""Celery entry point of the log; asked every second, it seals when there is reason to (two at once do no harm)."""

from __future__ import annotations

from celery import shared_task

from apps.trading.services import log


@shared_task
def seal_log() -> int:
    """Seal what waits, when enough waits or long enough; returns how many entries got their place."""
    return sum(block.count for block in log.seal_if_due())
