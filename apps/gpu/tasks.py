"""Celery entry points: sweeps and the polling of back-ends; each calls services, nothing else."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from aitbc.core import idempotency
from apps.gpu.models import IdempotencyRecord
from apps.gpu.services import (
    backends,
    benchmark_schedule,
    exchange_downtime,
    gpu_availability,
    lease_expiry,
    miner_commands,
    power_limits,
    queue,
    reputation,
    requirement_classes,
    reservations,
    silent_miners,
    telemetry,
    uptime,
)

IDEMPOTENCY_RETENTION = timedelta(hours=48)


@shared_task
def sweep_leases() -> None:
    """Every few seconds: judge leases while the exchange is up, and wake delayed work."""
    if exchange_downtime.is_up():
        lease_expiry.suspect_leases()
        lease_expiry.expire_leases()
    queue.wake_due()


@shared_task
def sweep_miners() -> None:
    if exchange_downtime.is_up():
        silent_miners.watch_miners()
    reputation.judge_reputation()
    requirement_classes.mark_served()


@shared_task
def sweep_gpus() -> None:
    """Reserve GPUs for due bookings, close forgotten ones, repair GPUs out of step with their miners."""
    reservations.hold_due()
    reservations.close_forgotten()
    gpu_availability.repair()


@shared_task
def sweep_commands() -> None:
    miner_commands.expire_overdue()


@shared_task(soft_time_limit=840, time_limit=900)
def judge_hours() -> None:
    """Every few minutes, so that an hour is judged soon after it is over, and a missed run costs nothing."""
    uptime.judge()


@shared_task(soft_time_limit=840, time_limit=900)
def delete_expired_metrics() -> None:
    """Once a day: delete expired metrics and evidence of hours."""
    telemetry.delete_expired()
    uptime.forget()


@shared_task(soft_time_limit=840, time_limit=900)
def purge_idempotency_records() -> int:
    """Delete stored responses older than any client's retry; returns how many."""
    return idempotency.purge(IdempotencyRecord, before=timezone.now() - IDEMPOTENCY_RETENTION)


@shared_task
def sweep_queue() -> None:
    queue.sweep_done()
    requirement_classes.retire_idle()


@shared_task
def poll_backends() -> None:
    """Poll every registered back-end for its models, and start a task that feeds each healthy one."""
    backends.refresh_due()
    for backend_id in backends.healthy():
        feed_backend.delay(str(backend_id))


@shared_task(soft_time_limit=backends.FEED_SECONDS, time_limit=backends.FEED_SECONDS + 30)
def feed_backend(backend_id: str) -> None:
    backends.feed(backend_id=backend_id)


@shared_task
def sweep_benchmarks() -> None:
    """End overdue challenges, judge what a crash left unjudged, challenge the cards whose time has come."""
    power_limits.judge_ended()
    benchmark_schedule.sweep()
