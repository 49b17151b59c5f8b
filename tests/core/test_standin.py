"""Sweeps go on while beat, Valkey or the worker are away."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from aitbc.celery import app
from aitbc.core import standin
from aitbc.core.tasks import leave_mark
from apps.gpu.models import Work
from apps.gpu.services import queue
from tests.gpu.conftest import queued


@pytest.fixture
def stand_in(settings, tmp_path: Path) -> standin.StandIn:
    settings.RUN_DIR = tmp_path
    app.loader.import_default_modules()
    queue.enqueue([queued(not_before=(timezone.now() + timedelta(hours=1)).isoformat())])
    Work.objects.update(due_at="2020-01-01T00:00Z")
    return standin.StandIn(app)


def swept() -> bool:
    """Delayed work whose time has come is waiting for a miner."""
    return Work.objects.get().state == "waiting"


@pytest.mark.transaction
def test_the_relay_sweeps_while_the_worker_leaves_no_mark(stand_in):
    stand_in.look()

    assert swept()


@pytest.mark.transaction
def test_a_mark_that_has_grown_old_is_none(stand_in):
    leave_mark()
    os.utime(standin.mark(), (0, 0))

    stand_in.look()

    assert swept()


def test_the_relay_keeps_still_while_the_worker_sweeps(stand_in):
    leave_mark()

    stand_in.look()

    assert not swept()


def test_each_sweep_has_its_own_pace(stand_in):
    first = stand_in.due_now()

    assert "apps.gpu.tasks.sweep_leases" in first and "apps.trading.tasks_log.seal_log" in first
    assert not [name for name in first if name.startswith("aitbc.core.") or name.endswith("take_snapshot")]
    assert stand_in.due_now() == []
