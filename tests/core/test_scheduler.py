"""The frequent sweeps: each due time once, whatever is slow, fails, hangs, dies or is away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connections
from django.utils import timezone

from aitbc.celery import app
from aitbc.core import scheduler
from aitbc.core.check_ins import CheckIn, CheckIns
from aitbc.core.locks import SessionLocks
from aitbc.core.scheduler import DomainScheduler, Scheduler, Sweep, alias_of_task
from aitbc.domains import LABELS
from aitbc.schedule import SCHEDULE, expected, in_beat, in_relay
from apps.gpu.models import Work
from apps.gpu.services import queue
from tests.embedded.processes import ROOT, eventually
from tests.gpu.conftest import queued

pytestmark = pytest.mark.transaction


class Noted(CheckIns):
    """Check-ins that are kept in the order of their coming."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[CheckIn] = []

    def note(self, check_in: CheckIn) -> None:
        self.all.append(check_in)


@pytest.fixture
def running() -> Iterator[Callable[..., DomainScheduler]]:
    """Start a domain's scheduler over sweeps, each as name=(seconds, call)."""
    started: list[DomainScheduler] = []

    def start(alias: str = "governance", **sweeps: tuple[float, Callable[[], object]]) -> DomainScheduler:
        made = DomainScheduler(alias, [Sweep(name, *entry) for name, entry in sweeps.items()], Noted())
        made.start()
        started.append(made)
        return made

    yield start
    for one in started:
        one.stop()
    for one in started:
        one.join(20)


# Several relays


def test_of_two_relays_one_runs_a_sweep_and_the_other_takes_over(running):
    first, second = [], []
    one = running(tick=(0.05, lambda: first.append(1)))
    eventually(lambda: len(first) > 3, 10, "the first runs it")
    running(tick=(0.05, lambda: second.append(1)))
    time.sleep(0.5)
    assert second == []

    one.stop()
    one.join(10)
    ended = len(first)

    eventually(lambda: len(second) > 3, 10, "the second runs it")
    assert len(first) == ended


def test_relays_share_sweeps_by_whoever_is_first_at_each(running):
    other = SessionLocks("governance")
    try:
        assert other.hold(["taken"]) == {"taken"}
        runs: list[str] = []
        running(taken=(0.05, lambda: runs.append("taken")), free=(0.05, lambda: runs.append("free")))
        eventually(lambda: len(runs) > 3, 10, "what is free runs")
        assert set(runs) == {"free"}
    finally:
        other.close()

    eventually(lambda: "taken" in runs, 10, "what was released runs")


def environment(run_dir: Path) -> dict[str, str]:
    """The test databases for a process of its own, as if on a machine of its own."""
    found = {"AITBC_RUN_DIR": str(run_dir), "AITBC_VAR_DIR": str(run_dir)}
    for alias in ("default", *LABELS):
        settings = connections[alias].settings_dict
        user = settings["USER"] + (f":{quote(settings['PASSWORD'], safe='')}" if settings["PASSWORD"] else "")
        place = quote(settings["HOST"], safe="") + (f":{settings['PORT']}" if settings["PORT"] else "")
        found[f"{alias.upper()}_DATABASE_URL"] = f"postgresql://{user}@{place}/{settings['NAME']}"
    return {**os.environ, **found}


def ticks(file: Path) -> list[tuple[int, float]]:
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(pid), float(at)) for pid, at in (line.split() for line in lines)]


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGSTOP])
def test_two_relay_processes_run_each_due_time_once_and_one_s_end_loses_nothing(tmp_path, ending):
    file = tmp_path / "ticks"
    command = [sys.executable, "-m", "tests.core.scheduler_process", str(file)]
    relays = {}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        process = subprocess.Popen(command, cwd=ROOT, env=environment(tmp_path / name))
        relays[process.pid] = process
    try:
        eventually(lambda: len(ticks(file)) > 5, 60, "somebody sweeps")
        time.sleep(5)
        found = ticks(file)
        (owner,) = {pid for pid, _ in found}
        moments = [at for _, at in found]
        assert all(later - sooner > 0.05 for sooner, later in zip(moments, moments[1:], strict=False))
        assert len(found) <= (moments[-1] - moments[0]) / 0.2 + 2

        os.kill(owner, ending)

        eventually(lambda: {pid for pid, _ in ticks(file)} == set(relays), 40, "the other sweeps")
        (heir,) = set(relays) - {owner}
        if ending == signal.SIGSTOP:
            os.kill(owner, signal.SIGCONT)
        time.sleep(2)
        assert {pid for pid, _ in ticks(file)[-5:]} == {heir}
    finally:
        for process in relays.values():
            process.kill()
            process.wait()


# One relay


def test_a_slow_sweep_delays_no_other_and_never_overlaps_itself(running):
    inside, most, quick = [], [], []

    def slow() -> None:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.5)
        inside.pop()

    running(slow=(0.05, slow), quick=(0.05, lambda: quick.append(time.monotonic())))
    eventually(lambda: len(most) >= 3, 20, "the slow one ran three times")

    assert set(most) == {1}
    assert len(quick) > 8


def test_a_failing_sweep_is_logged_once_and_stops_no_other(running, caplog):
    healed = threading.Event()
    runs: list[str] = []

    def failing() -> None:
        runs.append("failing")
        if not healed.is_set():
            raise ValueError("no good")

    domain = running(failing=(0.02, failing), other=(0.02, lambda: runs.append("other")))
    eventually(lambda: runs.count("failing") > 5 and runs.count("other") > 5, 10, "both go on")
    healed.set()
    eventually(lambda: "works again" in caplog.text, 10, "it says that it works")

    assert caplog.text.count("failing failed: no good") == 1
    ended = [one for one in domain.check_ins.all if one.expected.name == "failing" and one.finished_at]
    assert ended[0].error == "ValueError: no good" and ended[-1].error == ""


def test_a_database_that_is_away_stops_only_its_own_sweeps_and_is_logged_once(running, caplog, monkeypatch):
    runs: list[str] = []
    monkeypatch.setitem(connections.settings["plugins"], "HOST", "/nowhere")
    monkeypatch.setattr(scheduler, "RETRY_SECONDS", 0.05)
    running("plugins", away=(0.02, lambda: runs.append("away")))
    running("governance", here=(0.02, lambda: runs.append("here")))
    eventually(lambda: len(runs) > 10, 10, "the other domain's runs")
    assert "away" not in runs

    monkeypatch.undo()

    eventually(lambda: "away" in runs, 10, "it runs again")
    assert caplog.text.count("sweeps of plugins: its database is away") == 1
    assert caplog.text.count("sweeps of plugins: its database is back") == 1


def test_a_lock_whose_connection_was_cut_is_taken_again(running):
    runs: list[int] = []
    domain = running(tick=(0.05, lambda: runs.append(1)))
    eventually(lambda: runs, 10, "it runs")

    domain.locks._connection.close()
    runs.clear()

    eventually(lambda: len(runs) > 2, 10, "it runs again")


def test_a_sweep_that_hangs_leaves_its_room_and_its_lock_to_others(running, caplog, monkeypatch):
    monkeypatch.setattr(scheduler, "HUNG_SECONDS", 0.2)
    release, runs = threading.Event(), []
    hang = {"hangs": (0.05, lambda: release.wait(20)), "hangs_too": (0.05, lambda: release.wait(20))}
    running(**hang, other=(0.05, lambda: runs.append(1)))
    try:
        eventually(
            lambda: "hangs_too runs for more" in caplog.text and runs, 10, "it is noticed, and the other goes on"
        )
        taken = []
        running(hangs=(0.05, lambda: taken.append(1)))
        eventually(lambda: taken, 10, "another relay runs it")
    finally:
        release.set()


def test_the_domains_own_sweeps_run_and_check_in():
    queue.enqueue([queued(not_before=(timezone.now() + timedelta(hours=1)).isoformat())])
    Work.objects.update(due_at="2020-01-01T00:00Z")
    app.loader.import_default_modules()
    noted = Noted()
    relay = Scheduler(in_relay(), app.tasks, noted)

    relay.start()
    try:
        eventually(lambda: Work.objects.get().state == "waiting", 30, "delayed work is waiting for a miner")
        names = {one.name for one in expected() if one.kind == "task" and one.seconds <= 60}
        done = lambda: {one.expected.name for one in noted.all if one.finished_at and not one.error}  # noqa: E731
        eventually(lambda: done() == names, 30, "every sweep has run")
    finally:
        relay.stop()


# The table


@pytest.mark.no_db
def test_an_entry_runs_in_the_relay_or_is_sent_by_beat():
    assert not set(in_relay()) & set(in_beat())
    assert set(in_relay()) | set(in_beat()) == set(SCHEDULE)
    assert app.conf.beat_schedule == in_beat()
    assert max(entry["schedule"] for entry in in_relay().values()) <= 60


@pytest.mark.no_db
def test_a_sweep_is_locked_in_its_own_domain_s_database():
    assert alias_of_task("apps.gpu.tasks.sweep_leases") == "gpu"
    assert alias_of_task("aitbc.core.tasks.prune_inboxes") == "default"


@pytest.mark.no_db
def test_each_queue_and_task_is_expected_once():
    found = [(one.kind, one.name) for one in expected()]

    assert len(found) == len(set(found))
    assert {name for kind, name in found if kind == "queue"} == {*LABELS, "relay"}


@pytest.mark.no_db
def test_every_task_ends_in_time_to_be_redelivered_only_when_lost():
    app.loader.import_default_modules()
    longest = app.conf.broker_transport_options["visibility_timeout"]
    for name, task in app.tasks.items():
        if name.startswith(("apps.", "aitbc.")):
            soft = task.soft_time_limit or app.conf.task_soft_time_limit
            hard = task.time_limit or app.conf.task_time_limit
            assert 0 < soft < hard < longest, name
