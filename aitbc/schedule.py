"""The one beat table: what is looked after, and how often (seconds). Two beats at once do no harm."""

from __future__ import annotations

from typing import Any

SCHEDULE: dict[str, dict[str, Any]] = {}


def every(seconds: float, task: str) -> None:
    SCHEDULE[task] = {"task": task, "schedule": seconds, "options": {"expires": max(10.0, seconds * 3)}}


every(15, "aitbc.core.tasks.relay_last_resort")
every(86_400, "aitbc.core.tasks.prune_inboxes")
