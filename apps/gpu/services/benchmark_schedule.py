"""The sweep of benchmarks: end overdue ones, request those that are due."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from aitbc.core.errors import DomainError, StateConflict
from apps.gpu.logic.challenge import SUITE
from apps.gpu.models import GPUBenchmark, GPURegistry, MinerTransition
from apps.gpu.services import benchmarks
from apps.gpu.states import MinerState

log = logging.getLogger(__name__)

BATCH = 50
AWAY = (MinerState.DRAINING, MinerState.DEREGISTERED)


def sweep(*, now: datetime | None = None) -> dict[str, int]:
    """End overdue benchmarks, then request those that are due; returns how many of each."""
    now = now or timezone.now()
    return {"expired": _expire(now), "requested": _request(now)}


def due(now: datetime) -> QuerySet[GPURegistry]:
    """Return the GPUs due for a benchmark: never done, past their random time, or back from drain or deregistration.

    Only of online miners that know this suite; others are benchmarked on request.
    """
    back = MinerTransition.objects.filter(
        subject_id=OuterRef("miner_id"), from_state__in=AWAY, to_state=MinerState.ONLINE, at__gt=OuterRef("verified_at")
    )
    never = Q(verified_at=None) & ~Exists(GPUBenchmark.objects.filter(gpu=OuterRef("pk")))
    since = Q(verified_at__isnull=False) & Exists(back)
    open_now = GPUBenchmark.objects.open().filter(gpu=OuterRef("pk"))
    able = GPURegistry.objects.rentable().filter(
        miner__state=MinerState.ONLINE, miner__capabilities__benchmark_suite=SUITE, memory_mb__gt=0
    )
    return able.filter(Q(retest_at__lt=now) | never | since).exclude(Exists(open_now)).order_by("retest_at", "pk")


def _expire(now: datetime) -> int:
    ended = 0
    for benchmark in GPUBenchmark.objects.overdue(now).select_related("gpu").order_by("due_at", "pk")[:BATCH]:
        try:
            benchmarks.expire(benchmark)
            ended += 1
        except StateConflict:
            continue  # answered at the last moment
    return ended


def _request(now: datetime) -> int:
    made = 0
    for gpu in due(now)[:BATCH]:
        try:
            benchmarks.request(gpu, actor="sweep", reason="time for a test")
            made += 1
        except DomainError as error:
            log.info("card %s is not measured now: %s", gpu.pk, error)
    return made
