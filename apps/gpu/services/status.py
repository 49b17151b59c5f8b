"""The state of the gpu domain, in a few counts that stay cheap at any depth of the queue."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from django.db.models import Count, QuerySet
from django.utils import timezone

from apps.gpu.models import Clock, GPURegistry, Lease, Miner, Reservation, Work
from apps.gpu.states import GpuState, WorkState


class QueueDepth(TypedDict):
    """Jobs by state, each counted up to COUNTED; `at_least` when there are more."""

    waiting: int
    delayed: int
    running: int
    at_least: bool


class Status(TypedDict):
    """The state of the domain, as GpuStatusSerializer publishes it."""

    status: str
    service: str
    message: str
    miners: dict[str, int]
    gpus: dict[str, int]
    models: dict[str, int]
    queue: QueueDepth
    bookings: int
    swept_seconds_ago: float | None
    at: datetime


COUNTED = 100_000  # rows; a deeper queue is "at least" that
LATE_SECONDS = 60


def read() -> Status:
    """Return miners and GPUs by state, GPUs by model, the queue's depth; degraded when no web process ticks."""
    swept = Clock.objects.values_list("seen_at", flat=True).first()
    now = timezone.now()
    age = None if swept is None else max((now - swept).total_seconds(), 0.0)
    late = age is None or age > LATE_SECONDS
    miners = _by(Miner.objects.all(), "state")
    return {
        "status": "degraded" if late else "operational",
        "service": "gpu-service",
        "message": _message(miners, age, late=late),
        "miners": miners,
        "gpus": _by(GPURegistry.objects.all(), "state"),
        "models": _models(),
        "queue": _queue(),
        "bookings": Reservation.objects.held().count(),
        "swept_seconds_ago": None if age is None else round(age, 1),
        "at": now,
    }


def _message(miners: dict[str, int], age: float | None, *, late: bool) -> str:
    if late:
        since = "never" if age is None else f"{age:.0f} s ago"
        return f"Leases were last looked after {since}; is the worker with its beat running?"
    return f"{miners.get('online', 0)} of {sum(miners.values())} miners are online."


def _queue() -> QueueDepth:
    waiting = _capped(Work.objects.waiting())
    return {
        "waiting": waiting,
        "delayed": _capped(Work.objects.filter(state=WorkState.DELAYED)),
        "running": _capped(Lease.objects.live()),
        "at_least": waiting >= COUNTED,
    }


def _models() -> dict[str, int]:
    there = GPURegistry.objects.exclude(state__in=[GpuState.RETIRED, GpuState.OFFLINE, GpuState.QUARANTINED])
    rows = (
        there.values_list("profile__model", "name")
        .annotate(n=Count("pk"))
        .order_by("-n", "profile__model", "name")[:500]
    )
    found: dict[str, int] = {}
    for model, name, n in rows:
        found[model or name] = found.get(model or name, 0) + n
    return found


def _by(rows: QuerySet[Any], column: str) -> dict[str, int]:
    return dict(rows.order_by().values_list(column).annotate(n=Count("pk")))


def _capped(rows: QuerySet[Any]) -> int:
    return rows.order_by()[:COUNTED].count()
