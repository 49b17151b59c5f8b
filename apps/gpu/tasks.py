"""Celery entry points of gpu: sweeps and the polling of back-ends; each calls services, nothing else."""

from __future__ import annotations

from celery import shared_task

from apps.gpu.services import (
    absence,
    backends,
    classes,
    hours,
    orders,
    presence,
    registry,
    reservations,
    retests,
    settings,
    sweeps,
    work,
)


@shared_task
def sweep_leases() -> None:
    """Every few seconds: judge leases, while miners can be heard, and wake delayed work."""
    if absence.doors_are_open():
        sweeps.suspect_leases()
        sweeps.expire_leases()
    work.wake_due()


@shared_task
def sweep_miners() -> None:
    if absence.doors_are_open():
        sweeps.watch_miners()
    sweeps.judge_reputation()
    classes.judge_served()


@shared_task
def sweep_gpus() -> None:
    """Set cards aside for bookings whose time has come; note what closed unheard; bring astray cards home."""
    reservations.hold_due()
    reservations.close_forgotten()
    presence.repair()


@shared_task
def sweep_orders() -> None:
    orders.expire_overdue()


@shared_task
def judge_hours() -> None:
    """Every few minutes, so that an hour is judged soon after it is over, and a missed run costs nothing."""
    hours.judge()


@shared_task
def forget_figures() -> None:
    """Once a day: figures of cards and evidence of hours have a limited life."""
    registry.forget_figures()
    hours.forget()


@shared_task
def sweep_queue() -> None:
    work.sweep_done()
    classes.retire_idle()


@shared_task
def poll_backends() -> None:
    """Ask every registered back-end for its models, and hand each healthy one to a task that feeds it."""
    for backend_id in backends.due():
        backends.refresh(backend_id=backend_id)
    for backend_id in backends.healthy():
        feed_backend.delay(str(backend_id))


@shared_task(soft_time_limit=backends.FEED_SECONDS, time_limit=backends.FEED_SECONDS + 30)
def feed_backend(backend_id: str) -> None:
    backends.feed(backend_id=backend_id)


@shared_task
def sweep_benchmarks() -> None:
    """End overdue challenges, judge what a crash left unjudged, challenge the cards whose time has come."""
    settings.judge_ended()
    retests.sweep()
