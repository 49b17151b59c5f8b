"""How long work of a kind takes: the share of the queue a job is charged for."""

from __future__ import annotations

import time

from django.db.models import Avg

from apps.ai.models import AIJob, AIJobResult

UNKNOWN_SECONDS = 10
SAMPLE = 50
FRESH_SECONDS = 60.0
_known: dict[str, tuple[float, int]] = {}


def expected_seconds(job: AIJob) -> int:
    """Return the mean of the last results of this task type, at least 1, at most what the job may take.

    Kept for a minute per process: it is a weight for fairness, not a promise.
    """
    moment, seconds = _known.get(job.task_type, (0.0, UNKNOWN_SECONDS))
    if time.monotonic() - moment > FRESH_SECONDS or not moment:
        seconds = _measure(job.task_type)
        if len(_known) > 1000:
            _known.clear()
        _known[job.task_type] = (time.monotonic(), seconds)
    return max(1, min(seconds, job.execution_seconds))


def _measure(task_type: str) -> int:
    recent = AIJobResult.objects.filter(task_type=task_type).order_by("-job_id").values("metered_ms")[:SAMPLE]
    mean = recent.aggregate(mean=Avg("metered_ms"))["mean"]
    return UNKNOWN_SECONDS if mean is None else round(float(mean) / 1000)
