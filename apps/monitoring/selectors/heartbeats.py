"""How everything that runs regularly does, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from apps.monitoring.models import Heartbeat


@dataclass(frozen=True)
class HeartbeatStatus:
    """One heartbeat now; `age_seconds` since its last end, None before the first."""

    kind: str
    name: str
    host: str
    age_seconds: float | None
    is_overdue: bool
    is_failing: bool
    is_running: bool


def statuses() -> list[HeartbeatStatus]:
    """Return every heartbeat, ordered by kind and name; overdue is judged now, noticed or not."""
    now = timezone.now()
    return [
        HeartbeatStatus(
            kind=row.kind,
            name=row.name,
            host=row.host,
            age_seconds=None if row.finished_at is None else max((now - row.finished_at).total_seconds(), 0.0),
            is_overdue=row.due_by < now,
            is_failing=row.failing_since is not None,
            is_running=row.is_running,
        )
        for row in Heartbeat.objects.all()
    ]
