"""Who checked in, and who did not."""

from __future__ import annotations

import threading

import pytest
from django.db import connections

from aitbc.core.check_ins import CheckIn, CheckIns
from aitbc.core.postgres.breaker import breaker
from aitbc.schedule import expected
from apps.monitoring.logic.due import overdue_after
from apps.monitoring.models import Heartbeat
from apps.monitoring.services import heartbeats
from apps.monitoring.tasks import check_in, sweep_heartbeats
from tests.monitoring.factories import QUEUE, RELAY, SWEEP, at, began, ended, long_ago, row


def test_a_run_is_written_down_with_its_start_end_and_host():
    ended(SWEEP, 10)

    found = row(SWEEP)
    assert (found.started_at, found.finished_at, found.host) == (at(9), at(10), "one")
    assert (found.outcome, found.detail, found.expected_seconds) == ("ok", "", 2.0)
    assert found.due_by == at(10 + overdue_after(2.0))


def test_a_run_that_has_only_begun_changes_nothing_of_the_last_finished_one():
    ended(SWEEP, 10, error="ValueError: no good")
    began(SWEEP, 20, host="two")

    found = row(SWEEP)
    assert (found.started_at, found.finished_at, found.host) == (at(20), at(10), "two")
    assert (found.outcome, found.detail) == ("failed", "ValueError: no good")
    assert found.due_by == at(10 + overdue_after(2.0))
    assert found.is_running


def test_failing_is_told_apart_from_silent_and_ends_with_a_success():
    ended(SWEEP, 10, error="ValueError: no good")
    ended(SWEEP, 20, error="ValueError: still no good")

    failing = row(SWEEP)
    assert failing.failing_since == at(10) and failing.detail == "ValueError: still no good"
    assert heartbeats.report_overdue(at(30)) == 0

    ended(SWEEP, 40)

    assert row(SWEEP).failing_since is None and row(SWEEP).detail == ""


def test_several_are_written_in_one_statement(django_assert_num_queries):
    runs = [CheckIn(one, at(0), at(1)) for one in (SWEEP, QUEUE, RELAY)]

    with django_assert_num_queries(1, using="monitoring"):
        assert heartbeats.record(runs) == 3


def test_what_is_overdue_is_logged_once_and_so_is_its_return(caplog):
    ended(SWEEP, 0)
    ended(QUEUE, 0)
    silent = at(overdue_after(SWEEP.seconds) + 1)

    assert heartbeats.report_overdue(at(overdue_after(SWEEP.seconds) - 1)) == 0
    assert [heartbeats.report_overdue(silent) for _ in range(3)] == [1, 0, 0]
    assert row(SWEEP).overdue_since == silent and row(QUEUE).overdue_since is None
    assert caplog.text.count("is overdue") == 1
    assert f"task {SWEEP.name} is overdue: last finished 2026-01-01 12:00:00Z, on one" in caplog.text

    ended(SWEEP, 60, host="two")

    assert [heartbeats.report_overdue(at(61)) for _ in range(3)] == [1, 0, 0]
    assert row(SWEEP).overdue_since is None
    assert caplog.text.count(f"task {SWEEP.name} is back, on two") == 1


def test_what_hangs_is_overdue_and_the_log_says_since_when(caplog):
    ended(SWEEP, 0)
    began(SWEEP, 10)

    heartbeats.report_overdue(at(60))

    assert "started 2026-01-01 12:00:10Z and did not finish" in caplog.text


@pytest.mark.transaction
def test_of_several_who_look_one_speaks(caplog):
    long_ago(SWEEP)

    def look() -> None:
        sweep_heartbeats()
        connections.close_all()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert caplog.text.count("is overdue") == 1


def test_what_never_runs_is_overdue_in_time_and_what_is_no_longer_expected_is_forgotten(caplog):
    ended(SWEEP, 0)
    heartbeats.expect([QUEUE, RELAY])

    assert set(Heartbeat.objects.values_list("kind", flat=True)) == {"queue", "relay"}
    assert heartbeats.report_overdue() == 0

    Heartbeat.objects.update(due_by=at(0))
    heartbeats.report_overdue()

    assert "queue gpu is overdue: last finished never, on no machine" in caplog.text


def test_expecting_the_same_again_keeps_what_is_known():
    ended(QUEUE, 0)
    before = Heartbeat.objects.values().get()

    heartbeats.expect([QUEUE])

    assert Heartbeat.objects.values().get() == before


def test_a_worker_s_queue_checks_in_and_looks_at_the_others(caplog):
    heartbeats.expect([QUEUE, RELAY])
    long_ago(RELAY)

    check_in("gpu")
    check_in("unheard of")

    assert row(QUEUE).outcome == "ok" and row(QUEUE).finished_at is not None
    assert Heartbeat.objects.count() == 2
    assert "relay relay is overdue" in caplog.text


def test_check_ins_reach_the_table_and_the_latest_of_each_counts():
    buffer = CheckIns(expected())
    buffer.note(CheckIn(SWEEP, at(0)))
    buffer.note(CheckIn(SWEEP, at(0), at(1), "ValueError: no good"))
    buffer.note(CheckIn(RELAY, at(0), at(2)))

    buffer.flush()

    assert (row(SWEEP).finished_at, row(SWEEP).outcome, row(RELAY).outcome) == (at(1), "failed", "ok")
    assert Heartbeat.objects.count() == len(expected())


@pytest.mark.transaction
def test_check_ins_wait_while_nobody_can_keep_them_and_that_is_logged_once(caplog, monkeypatch):
    buffer = CheckIns()
    buffer.note(CheckIn(SWEEP, at(0), at(1)))
    connections["monitoring"].close()
    with monkeypatch.context() as patch:
        patch.setitem(connections["monitoring"].settings_dict, "HOST", "/nowhere")
        for _ in range(3):
            buffer.flush()
    buffer.note(CheckIn(RELAY, at(0), at(2)))
    breaker("monitoring").close()

    buffer.flush()

    assert Heartbeat.objects.count() == 2
    assert caplog.text.count("nobody keeps them") == caplog.text.count("they are kept again") == 1
