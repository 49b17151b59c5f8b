"""`manage.py job` with short ids, and what `job list` counts."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from django.core.management import call_command

from aitbc.core.cli.errors import Failure, UsageError
from tests.ai.factories import submit
from tests.shell import Terminal, command_runner, ended

pytestmark = pytest.mark.transaction
UNKNOWN = "deadbeef"


@pytest.fixture
def job(live_server, client_api):
    return command_runner("job", live_server, client_api)


@pytest.fixture
def where(live_server, client_api):
    return ("--url", live_server.url, "--key", client_api.secret)


def test_the_ids_of_a_table_are_accepted_by_every_verb(job, where, client_api, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    made = [submit(client_api)["id"] for _ in range(3)]
    screen = Terminal()
    call_command("job", "list", *where, stdout=screen)
    shown = [line.split("│")[1].strip() for line in screen.getvalue().splitlines() if line.startswith("│")]

    assert [[one for one in made if one.startswith(short)] for short in shown] == [[one] for one in reversed(made)]
    short = dict(zip(reversed(made), shown, strict=True))
    assert json.loads(job("status", short[made[0]], "--json"))["id"] == made[0]
    assert json.loads(job("explain", short[made[1]].upper(), "--json"))["job_id"] == made[1]
    assert json.loads(job("cancel", short[made[2]], "--json"))["id"] == made[2]


def test_a_beginning_of_several_lists_them_and_one_of_none_says_so(job, where, client_api):
    made = [submit(client_api)["id"] for _ in range(3)]
    short = next(one[:8] for one, following in pairwise(made) if one[:8] == following[:8])  # of the same 65 seconds
    candidates = sorted(one for one in made if one.startswith(short))

    with pytest.raises(UsageError) as ambiguous:
        job("status", short)
    assert ambiguous.value.members["candidates"] == candidates
    assert all(one in str(ambiguous.value) for one in candidates)
    code, _, err = ended("job", "status", short, "--json", *where)
    assert (code, json.loads(err)["candidates"]) == (2, candidates)
    with pytest.raises(Failure, match=f"No job that you can list begins with {UNKNOWN}"):
        job("watch", UNKNOWN)
    assert ended("job", "result", UNKNOWN, *where)[0] == 1


def test_a_beginning_is_found_on_a_later_page(job, client_api, monkeypatch):
    monkeypatch.setattr("aitbc.core.cli.short_ids.PAGE", 1)
    made = [submit(client_api)["id"] for _ in range(3)]

    assert json.loads(job("status", made[0][:-1], "--json"))["id"] == made[0]


def test_the_total_counts_all_jobs_that_pass_not_the_page(job, client_api):
    for state in range(5):
        submit(client_api, task_type=f"kind-{state % 2}")

    assert "2 of 5; more: --cursor" in job("list", "--limit", "2")
    page = json.loads(job("list", "--limit", "2", "--json"))
    assert (page["total"], len(page["items"])) == (5, 2)
    following = json.loads(job("list", "--limit", "2", "--cursor", page["next"], "--json"))
    assert following["total"] == 5
    assert json.loads(job("list", "--limit", "1", "--task-type", "kind-1", "--json"))["total"] == 2
    assert json.loads(job("list", "--json"))["total"] == 5
    assert json.loads(job("list", "--state", "settled", "--json"))["total"] == 0
