"""Check-ins as a relay or a worker makes them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from aitbc.core.check_ins import CheckIn, Expected
from apps.monitoring.models import Heartbeat
from apps.monitoring.services import heartbeats

SWEEP = Expected("task", "apps.gpu.tasks.sweep_leases", 2.0)
QUEUE = Expected("queue", "gpu", 90.0)
RELAY = Expected("relay", "relay", 10.0)
NOW = datetime.fromisoformat("2026-01-01T12:00:00+00:00")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def began(expected: Expected, seconds: float, host: str = "one") -> None:
    heartbeats.record([CheckIn(expected, at(seconds), host=host)])


def ended(expected: Expected, seconds: float, error: str = "", host: str = "one") -> None:
    """A run of a second that ends then."""
    heartbeats.record([CheckIn(expected, at(seconds - 1), at(seconds), error, host)])


def row(expected: Expected) -> Heartbeat:
    return Heartbeat.objects.get(kind=expected.kind, name=expected.name)


def long_ago(expected: Expected) -> None:
    """It last ran a day ago."""
    moment = timezone.now() - timedelta(days=1)
    heartbeats.record([CheckIn(expected, moment, moment, host="one")])
