"""When something that runs regularly is overdue."""

from __future__ import annotations

#: Check-ins travel for some seconds, and a process takes some to start again.
GRACE_SECONDS = 30.0


def overdue_after(expected_seconds: float) -> float:
    """Return how many seconds after its last end a thing is overdue: twice its interval and some grace."""
    return 2 * expected_seconds + GRACE_SECONDS
