"""What Prometheus reads: requests by route, and the state of each domain's outbox at the moment of asking."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
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
from aitbc.domains import served

BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30)
OUTBOX = """
SELECT count(*) FILTER (WHERE due_at < '9999-01-01'), count(*) FILTER (WHERE due_at >= '9999-01-01' AND attempts > 0),
       coalesce(extract(epoch FROM clock_timestamp() - min(due_at) FILTER (WHERE due_at < clock_timestamp())), 0)
FROM "{label}_outbox" WHERE consumer NOT LIKE '%!dropped'
"""

requests = Histogram("aitbc_request_seconds", "Time to answer.", ["method", "route", "status"], buckets=BUCKETS)


def observe(request: HttpRequest, status: int, seconds: float) -> None:
    """Count one answered request under its route's template, never under its path."""
    match = getattr(request, "resolver_match", None)
    method = request.method if request.method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD") else "other"
    requests.labels(method, match.route if match else "unmatched", str(status)).observe(seconds)


class Outboxes(Collector):
    """Depth, dead letters and age per domain, asked of the databases at scrape time."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("aitbc_domain_up", "Whether the domain's database answers.", labels=["domain"])
        waiting = GaugeMetricFamily("aitbc_outbox_waiting", "Messages on their way.", labels=["domain"])
        dead = GaugeMetricFamily("aitbc_outbox_dead", "Messages that nobody could take.", labels=["domain"])
        age = GaugeMetricFamily("aitbc_outbox_overdue_seconds", "How long the oldest due one waits.", labels=["domain"])
        for domain in served(settings.AITBC_SERVICES):
            figures = outbox_figures(domain.label)
            up.add_metric([domain.label], figures is not None)
            for family, value in zip((waiting, dead, age), figures or (), strict=False):
                family.add_metric([domain.label], value)
        yield from (up, waiting, dead, age)


def outbox_figures(label: str) -> tuple[float, float, float] | None:
    """(waiting, dead, seconds overdue) of a domain's outbox; None when its database does not answer."""
    try:
        with connections[label].cursor() as sql:
            sql.execute(OUTBOX.format(label=label))
            waiting, dead, overdue = sql.fetchone()
    except (DatabaseError, InterfaceError, PoolTimeout):
        return None
    return waiting, dead, float(overdue)


def exposition() -> HttpResponse:
    """Everything in Prometheus' text format."""
    registry = CollectorRegistry()
    if settings.METRICS_DIR:
        forget_dead_processes()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(Outboxes())
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
