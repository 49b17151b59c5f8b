"""Liveness, readiness and the list of services: bounded in what they cost, whoever asks however often."""

from __future__ import annotations

from datetime import timedelta

from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from aitbc.core import metrics
from aitbc.core.ids import uuid7
from aitbc.core.messaging.models import NEVER
from apps.gpu.models import Outbox


def message(**fields: object) -> Outbox:
    return Outbox(**{"message_id": uuid7(), "consumer": "ai", "name": "n", "key": "k", "payload": {}, **fields})


def test_ready_counts_what_waits_and_what_is_dead_and_says_how_late_it_is(anonymous_api):
    late = timezone.now() - timedelta(minutes=5)
    Outbox.objects.bulk_create(
        [
            message(due_at=late),
            message(due_at=timezone.now() + timedelta(hours=1)),
            message(due_at=NEVER, attempts=12),
            message(due_at=NEVER, attempts=0),  # parked behind the dead one
            message(due_at=NEVER, attempts=12, consumer="ai!dropped"),
        ]
    )

    ready = anonymous_api.json("GET", "/gpu/ready", status=200)

    assert (ready["status"], ready["outbox_waiting"], ready["outbox_dead"]) == ("late", 2, 1)
    assert 300 <= ready["outbox_overdue_seconds"] < 400


def test_counting_stops_at_a_bound(monkeypatch):
    monkeypatch.setattr(metrics, "COUNTED", 3)
    Outbox.objects.bulk_create([message(due_at=timezone.now()) for _ in range(10)])

    status = metrics.outbox_status("gpu")

    assert status is not None and status.waiting == 3


def test_counting_uses_the_index_alone():
    with connections["gpu"].cursor() as sql:
        # What the planner can do without: an order or a filter that no index gives would show all the same.
        sql.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
        sql.execute("EXPLAIN " + metrics.OUTBOX.format(label="gpu"), {"consumers": ["ai"], "counted": metrics.COUNTED})
        plan = "\n".join(row[0] for row in sql.fetchall())

    assert plan.count("Index") >= 3 and "Seq Scan" not in plan and "Sort" not in plan


def test_many_callers_in_a_second_read_the_database_once(anonymous_api):
    anonymous_api.get("/gpu/ready")
    with CaptureQueriesContext(connections["gpu"]) as queries:
        for _ in range(5):
            anonymous_api.get("/gpu/ready")
            anonymous_api.get("/services")

    assert len(queries) == 0
