"""Following a job from the shell: its exit code says how the job ended, the bar moves, Ctrl-C leaves the job alone."""

from __future__ import annotations

import io
import json
import signal
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from rich.console import Console

from aitbc.core.cli.errors import Failure
from apps.ai.management.progress import JobProgress
from apps.ai.management.tables import jobs as tables
from apps.ai.models import AIJob
from apps.ai.services import deadlines
from apps.ai.services.jobs import cancel
from apps.ai.states import OPEN_PAYMENTS
from tests.ai.factories import fund, publish, queued, row, running, submit
from tests.shell import command_runner, ended, program

pytestmark = pytest.mark.transaction


@pytest.fixture
def job(live_server, client_api):
    return command_runner("job", live_server, client_api)


@pytest.fixture
def where(live_server, client_api):
    return ("--url", live_server.url, "--key", client_api.secret)


def settled(api, miner):
    made = running(api, miner)
    publish(miner.completes(made, 1))
    return made


BAD_INPUT = {"task_type": "embedding", "payload": {"texts": [""]}}  # by the exchange's own schema


def failed(api, miner):
    made = running(api, miner, **BAD_INPUT)
    publish(miner.fails(made, "BAD_INPUT"))
    return made


def dead(api, miner):
    made = running(api, miner, max_attempts=1)
    publish(miner.loses(made, "heartbeat_timeout"))
    return made


def expired(api, miner):
    made = queued(api, queue_seconds=30, ttl_seconds=600)
    deadlines.expire_overdue(now=timezone.now() + timedelta(seconds=31))
    publish()
    return made


def refused(api, miner):
    fund(api, 1_000_000)
    submit(api, payment_amount="1")
    made = submit(api, payment_amount="1")
    publish()
    return made


def cancelled(api, miner):
    made = queued(api)
    cancel(job=row(made), actor="client:test", reason="not needed")
    publish()
    return made


@pytest.mark.parametrize("ending", [failed, dead, expired, cancelled, refused], ids=lambda one: one.__name__)
def test_a_job_that_ended_without_a_result_is_exit_1_and_says_why(job, where, client_api, miner, ending):
    made = ending(client_api, miner)
    state = row(made).state

    code, out, err = ended("job", "watch", made["id"], *where)
    assert (code, state) == (1, ending.__name__)
    assert err.startswith(f"Job {made['id']} is {state} ({row(made).outcome}")
    assert out.count(f"Job {made['id']}") == 1, "its table is shown once"
    for verb in (("watch",), ("result", "--wait"), ("result",)):
        with pytest.raises(Failure) as failure:
            job(verb[0], made["id"], *verb[1:], "--json")
        assert (failure.value.returncode, failure.value.members["code"]) == (1, state)


def test_a_job_with_a_result_is_exit_0(where, client_api, miner):
    made = settled(client_api, miner)

    for verb in (("watch",), ("result", "--wait"), ("receipt", "--wait")):
        assert ended("job", verb[0], made["id"], *verb[1:], *where)[::2] == (0, "")


def test_cancelling_is_not_final_and_events_arrive_as_they_happen(where, client_api, miner):
    made = running(client_api, miner)
    cancel(job=row(made), actor="client:test", reason="not needed")
    watching = program("job", "watch", made["id"], "--json", *where)
    seen = [json.loads(watching.stdout.readline())["state"] for _ in range(3)]
    assert seen == ["queued", "running", "cancelling"]
    assert watching.poll() is None

    publish(miner.stops(made))

    out, err = watching.communicate(timeout=60)
    assert json.loads(out.splitlines()[0])["state"] == "cancelled"
    assert (watching.returncode, json.loads(err)["code"]) == (1, "cancelled")


def test_an_interrupted_watch_says_how_to_resume_and_ends_with_130(where, client_api):
    made = queued(client_api)
    resume = f"manage.py job watch {made['id']}"
    for format_ in ((), ("--json",)):
        watching = program("job", "watch", made["id"], *format_, *where)
        assert "queued" in watching.stdout.readline()

        watching.send_signal(signal.SIGINT)

        _, err = watching.communicate(timeout=60)
        (line,) = err.splitlines()
        assert watching.returncode == 130
        if format_:
            assert (json.loads(line)["code"], json.loads(line)["resume"]) == ("interrupted", resume)
        else:
            assert resume in line
    assert row(made).state == "queued"


def test_a_job_cancelled_by_another_shell_is_shown_once_as_it_ended(where, client_api, miner):
    made = running(client_api, miner)
    watching = program("job", "watch", made["id"], *where)
    cancel(job=row(made), actor="client:test", reason="not needed")
    while "cancelling" not in watching.stdout.readline():
        pass
    publish(miner.stops(made))

    out, _ = watching.communicate(timeout=60)
    assert out.count("task_type") == 1
    assert "cancelling" not in out.partition("task_type")[2]


def test_the_table_at_the_end_waits_for_the_money(where, client_api, miner):
    made = running(client_api, miner, payment_amount="1", **BAD_INPUT)
    publish(miner.fails(made, "BAD_INPUT"))
    ended_job = AIJob.objects.filter(pk=made["id"])
    final = row(made).payment_status
    assert final not in OPEN_PAYMENTS
    ended_job.update(payment_status="held")  # as it is until trading has answered
    watching = program("job", "watch", made["id"], *where)
    while "failed" not in watching.stdout.readline():
        pass

    ended_job.update(payment_status=final)

    out, _ = watching.communicate(timeout=60)
    table = dict(line.strip("│ ").split("│") for line in out.splitlines() if line.count("│") == 3)
    shown = {name.strip(): value.strip() for name, value in table.items()}
    assert shown["payment_status"] == final
    assert float(shown["paid (AIT)"]) + float(shown["fee (AIT)"]) + float(shown["refunded (AIT)"]) == 1


@pytest.mark.no_db
def test_money_that_has_not_moved_in_time_is_named_below_the_table():
    screen = Console(file=io.StringIO(), width=200)
    screen.print(tables.ended({"id": "1", "payment_status": "held"}))

    assert "payment is still held" in screen.file.getvalue().splitlines()[-1]


def test_submit_and_watch_shows_the_table_once_at_the_end(job, where, client_api, miner):
    watching = program("job", "submit", "echo", "--watch", *where)
    made = watching.stdout.readline().split()[-1]
    assert "queued" in watching.stdout.readline()
    publish(miner.grants({"id": made}), miner.completes({"id": made}, 1))

    out, err = watching.communicate(timeout=60)
    assert (watching.returncode, err) == (0, "")
    assert out.count("task_type") == 1
    assert job("watch", made, "--quiet") == ""


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self):
        return True


def test_the_bar_is_full_once_the_job_has_succeeded(live_server, client_api, miner, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    made = running(client_api, miner)
    publish(miner.progresses(made, 0.5))
    publish(miner.completes(made, 1))
    screen = Terminal()

    call_command("job", "watch", made["id"], "--url", live_server.url, "--key", client_api.secret, stdout=screen)

    shares = [word for word in screen.getvalue().replace("\x1b", " ").split() if word.endswith("%")]
    assert shares[-1].endswith("100%")


@pytest.mark.no_db
def test_the_bar_moves_with_the_progress_and_starts_again_with_each_attempt():
    bar = JobProgress(console=Console(file=io.StringIO()))
    (task,) = bar.tasks

    def shown(call, *arguments):
        call(*arguments)
        return task.total, task.completed

    assert shown(bar.entered, "running") == (None, 0), "it pulses while nothing is reported"
    assert shown(bar.moved, 0.25) == (1.0, 0.25)
    assert shown(bar.moved, 0.5) == (1.0, 0.5)
    assert shown(bar.entered, "queued") == (None, 0)
    assert shown(bar.moved, 0.1) == (1.0, 0.1)
    assert shown(bar.entered, "cancelling") == (1.0, 0.1)
    assert shown(bar.entered, "succeeded") == (1.0, 1.0)
    assert shown(bar.moved, 0.1) == (1.0, 1.0), "a report behind the result"
    assert shown(bar.entered, "settled") == (1.0, 1.0)


@pytest.mark.no_db
@pytest.mark.parametrize("words", [("--help",), ("watch", "--help"), ("submit", "--help"), ("result", "--help")])
def test_the_exit_codes_are_in_the_help(capsys, words):
    with pytest.raises(SystemExit):
        call_command("job", *words)

    assert "130  interrupted" in capsys.readouterr().out
