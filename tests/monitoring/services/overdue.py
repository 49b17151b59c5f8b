"""A heartbeat that is overdue."""

from __future__ import annotations

from collections.abc import Iterator

from apps.monitoring.models import Heartbeat
from apps.monitoring.services import heartbeats
from tests.monitoring.factories import SWEEP, row
from tests.sweeping import Cases, StateReaders, ago, set_columns


def expected() -> Iterator[Heartbeat]:
    heartbeats.expect([SWEEP])
    heartbeat = row(SWEEP)
    yield heartbeat
    set_columns(heartbeat, due_by=ago(seconds=1))


CASES: Cases = {"monitoring.Heartbeat": {"expected": expected}}
STATES: StateReaders = {"monitoring.Heartbeat": lambda one: "overdue" if one.overdue_since else "expected"}
