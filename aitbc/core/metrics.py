"""What Prometheus reads: requests by route, and the state of each domain's outbox."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections
from django.http import HttpRequest, HttpResponse
from psycopg_pool import PoolTimeout

if settings.METRICS_DIR:
    # Several web processes share one /metrics; prometheus_client reads the folder's name when it is imported.
    Path(settings.METRICS_DIR).mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(settings.METRICS_DIR))

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

from aitbc.core.postgres.breaker import breaker
from aitbc.domains import LABELS, served

BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30)
# So many rows per consumer are counted at most: the state is public, and must not cost seconds when millions wait.
COUNTED = 10_000
OUTBOX_SECONDS = 1.0
OUTBOX = """
SELECT sum(waiting), sum(dead), coalesce(max(overdue), 0)
FROM unnest(%(consumers)s::text[]) AS c(consumer), LATERAL (SELECT
  (SELECT count(*) FROM (SELECT FROM "{label}_outbox" o
     WHERE o.consumer = c.consumer AND due_at < '9999-01-01' LIMIT %(counted)s) w) AS waiting,
  (SELECT count(*) FILTER (WHERE attempts > 0) FROM (SELECT attempts FROM "{label}_outbox" o
     WHERE o.consumer = c.consumer AND due_at >= '9999-01-01' LIMIT %(counted)s) d) AS dead,
  (SELECT extract(epoch FROM clock_timestamp() - due_at) FROM "{label}_outbox" o
     WHERE o.consumer = c.consumer AND due_at < clock_timestamp() ORDER BY due_at LIMIT 1) AS overdue) AS one
"""

requests = Histogram("aitbc_request_seconds", "Time to answer.", ["method", "route", "status"], buckets=BUCKETS)


def observe(request: HttpRequest, status: int, seconds: float) -> None:
    """Count one answered request under its route's template, never under its path."""
    match = getattr(request, "resolver_match", None)
    method = request.method if request.method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD") else "other"
    requests.labels(method, match.route if match else "unmatched", str(status)).observe(seconds)


class Outboxes(Collector):
    """Depth, dead letters and age per domain, read at scrape time."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("aitbc_domain_up", "Whether the domain's database answers.", labels=["domain"])
        waiting = GaugeMetricFamily("aitbc_outbox_waiting", "Messages on their way.", labels=["domain"])
        dead = GaugeMetricFamily("aitbc_outbox_dead", "Messages that nobody could take.", labels=["domain"])
        age = GaugeMetricFamily("aitbc_outbox_overdue_seconds", "How long the oldest due one waits.", labels=["domain"])
        for domain in served(settings.AITBC_SERVICES):
            status = outbox_status(domain.label)
            up.add_metric([domain.label], status is not None)
            if status is not None:
                waiting.add_metric([domain.label], status.waiting)
                dead.add_metric([domain.label], status.dead)
                age.add_metric([domain.label], status.overdue_seconds)
        yield from (up, waiting, dead, age)


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """A domain's outbox: messages waiting and dead (counted up to COUNTED per consumer), the oldest due one's delay."""

    waiting: int
    dead: int
    overdue_seconds: float


def outbox_status(label: str) -> OutboxStatus | None:
    """Return the state of a domain's outbox, at most a second old; None when its database does not answer.

    One caller a second and process reads it, however many ask: /ready and /services are open to everybody.
    """
    with _locks[label]:
        read_at, status = _statuses.get(label, (float("-inf"), None))
        if time.monotonic() - read_at >= OUTBOX_SECONDS:
            status = _read_outbox(label)
            _statuses[label] = time.monotonic(), status
        return status


def forget() -> None:
    """Forget the outboxes' states (tests)."""
    _statuses.clear()


_statuses: dict[str, tuple[float, OutboxStatus | None]] = {}
_locks = {label: threading.Lock() for label in LABELS}


def _read_outbox(label: str) -> OutboxStatus | None:
    try:
        with connections[label].cursor() as sql:
            sql.execute(OUTBOX.format(label=label), {"consumers": list(LABELS), "counted": COUNTED})
            waiting, dead, overdue = sql.fetchone()
    except (DatabaseError, InterfaceError, PoolTimeout):
        return None
    return OutboxStatus(int(waiting), int(dead), float(overdue))


_collectors: list[Collector] = [Outboxes()]


def register(collector: Collector) -> None:
    """Add what a domain shows at /metrics; call it once, when the app loads."""
    _collectors.append(collector)


def exposition() -> HttpResponse:
    """Everything in Prometheus' text format."""
    registry = CollectorRegistry()
    if settings.METRICS_DIR:
        forget_dead_processes()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    for collector in _collectors:
        registry.register(collector)
    parts: Iterable[CollectorRegistry] = (registry,) if settings.METRICS_DIR else (REGISTRY, registry)
    body = b"".join(generate_latest(part) for part in parts)
    return HttpResponse(body, content_type="text/plain; version=0.0.4; charset=utf-8")


def forget_dead_processes() -> None:
    """Remove the gauge files of processes that have gone; counters and histograms of the dead still count."""
    for file in Path(settings.METRICS_DIR).glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            file.unlink(missing_ok=True)


def breakers_open() -> list[str]:
    """The domains whose breaker is open in this process."""
    return [domain.label for domain in served(settings.AITBC_SERVICES) if breaker(domain.label).is_open]
