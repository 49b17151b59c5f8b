"""Scheduled tasks that a Celery worker runs check in by themselves."""

from __future__ import annotations

import pytest

from aitbc.celery import app
from aitbc.core.messaging import maintenance
from apps.monitoring.models import Heartbeat

TASK = "aitbc.core.tasks.prune_inboxes"


@pytest.fixture(autouse=True)
def _all_tasks() -> None:
    app.loader.import_default_modules()


def test_a_run_is_written_down():
    app.tasks[TASK].apply()

    found = Heartbeat.objects.get()
    assert (found.kind, found.name, found.outcome, found.expected_seconds) == ("task", TASK, "ok", 86_400)
    assert not found.is_running


def test_a_run_is_known_while_it_goes_on(monkeypatch):
    seen = []
    monkeypatch.setattr(maintenance, "prune", lambda days: seen.append(Heartbeat.objects.get().is_running))

    app.tasks[TASK].apply()

    assert seen == [True]


def test_a_failure_is_written_down_with_its_error(monkeypatch):
    def fail(days: int) -> int:
        raise ValueError("no good")

    monkeypatch.setattr(maintenance, "prune", fail)

    app.tasks[TASK].apply()

    found = Heartbeat.objects.get()
    assert found.outcome == "failed" and "no good" in found.detail and found.failing_since is not None


def test_a_task_that_is_not_scheduled_is_nobody_s_concern():
    app.tasks["apps.gpu.tasks.feed_backend"].apply(args=["01900000-0000-7000-8000-000000000000"])

    assert not Heartbeat.objects.exists()
