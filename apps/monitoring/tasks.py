"""Celery entry points of monitoring."""

from __future__ import annotations

from celery import shared_task

from apps.monitoring.services import heartbeats


@shared_task(soft_time_limit=20, time_limit=30)
def check_in(queue: str) -> None:
    """Show that beat, Valkey and a worker of this queue work; and look at the others, should the relay be silent."""
    heartbeats.check_in_queue(queue)
    heartbeats.report_overdue()


@shared_task(soft_time_limit=20, time_limit=30)
def sweep_heartbeats() -> int:
    """Notice what has not checked in; returns how many changed."""
    return heartbeats.report_overdue()
