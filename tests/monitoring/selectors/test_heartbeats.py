"""Heartbeats for other domains and for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from apps.monitoring import interface
from apps.monitoring.selectors.heartbeat_metrics import HeartbeatCollector
from apps.monitoring.services import heartbeats
from tests.monitoring.factories import QUEUE, RELAY, SWEEP, ended, long_ago


def test_overdue_is_judged_when_asked_although_nobody_has_noticed():
    long_ago(SWEEP)
    heartbeats.expect([SWEEP, QUEUE])

    queue, sweep = interface.heartbeats()

    assert (queue.kind, queue.name, queue.age_seconds, queue.is_overdue) == ("queue", "gpu", None, False)
    assert sweep.is_overdue and not sweep.is_failing and not sweep.is_running
    assert sweep.age_seconds is not None and sweep.age_seconds >= 86_400


def test_prometheus_reads_one_gauge_of_each_sort_for_each():
    ended(SWEEP, 0, error="ValueError: no good")
    heartbeats.expect([SWEEP, RELAY])
    registry = CollectorRegistry()
    registry.register(HeartbeatCollector())

    text = generate_latest(registry).decode()

    assert 'aitbc_heartbeat_overdue{kind="task",name="apps.gpu.tasks.sweep_leases"} 1.0' in text
    assert 'aitbc_heartbeat_failing{kind="task",name="apps.gpu.tasks.sweep_leases"} 1.0' in text
    assert 'aitbc_heartbeat_overdue{kind="relay",name="relay"} 0.0' in text
    assert 'aitbc_heartbeat_age_seconds{kind="task"' in text and 'age_seconds{kind="relay"' not in text
