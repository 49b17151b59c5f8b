"""The expected duration of jobs by task type: their cost in fair queueing."""

from __future__ import annotations

import time

from django.db.models import Avg

from apps.ai.models import AIJob, AIJobResult

DEFAULT_SECONDS = 10
SAMPLE = 50
CACHE_SECONDS = 60.0
_cache: dict[str, tuple[float, int]] = {}


def expected_seconds(job: AIJob) -> int:
    """Return the mean seconds of the last 50 results of this task type, from 1 to the job's execution limit.

    Cached per process for a minute, as it is a weight for fairness and not a promise.
    """
    measured_at, seconds = _cache.get(job.task_type, (0.0, DEFAULT_SECONDS))
    if time.monotonic() - measured_at > CACHE_SECONDS or not measured_at:
        seconds = _measure(job.task_type)
        if len(_cache) > 1000:
            _cache.clear()
        _cache[job.task_type] = (time.monotonic(), seconds)
    return max(1, min(seconds, job.execution_seconds))


def _measure(task_type: str) -> int:
    recent = AIJobResult.objects.filter(task_type=task_type).order_by("-pk").values("metered_ms")[:SAMPLE]
    mean = recent.aggregate(mean=Avg("metered_ms"))["mean"]
    return DEFAULT_SECONDS if mean is None else round(float(mean) / 1000)
