"""Heartbeats as Prometheus reads them, from the database at scrape time: also when nobody is left to notice."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import DatabaseError, InterfaceError
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg_pool import PoolTimeout

from apps.monitoring.selectors import heartbeats


class HeartbeatCollector(Collector):
    """aitbc_heartbeat_{overdue,failing,age_seconds}; nothing while the database does not answer."""

    def collect(self) -> Iterator[Metric]:
        labels = ["kind", "name"]
        overdue = GaugeMetricFamily("aitbc_heartbeat_overdue", "1 when it has missed a turn.", labels=labels)
        failing = GaugeMetricFamily("aitbc_heartbeat_failing", "1 when its last run failed.", labels=labels)
        age = GaugeMetricFamily("aitbc_heartbeat_age_seconds", "Since its last run ended.", labels=labels)
        try:
            found = heartbeats.statuses()
        except (DatabaseError, InterfaceError, PoolTimeout):
            found = []
        for one in found:
            overdue.add_metric([one.kind, one.name], one.is_overdue)
            failing.add_metric([one.kind, one.name], one.is_failing)
            if one.age_seconds is not None:
                age.add_metric([one.kind, one.name], one.age_seconds)
        yield from (overdue, failing, age)
