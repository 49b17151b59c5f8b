"""What others may ask of monitoring: answers as of now, reads only."""

from __future__ import annotations

from apps.monitoring.selectors.heartbeats import HeartbeatStatus, statuses

__all__ = ["HeartbeatStatus", "heartbeats"]


def heartbeats() -> list[HeartbeatStatus]:
    """Return everything that is to check in, and how it does, ordered by kind and name."""
    return statuses()
