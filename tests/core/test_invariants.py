"""I30, broken on purpose; what the command says and returns; and the list of all numbers in docs/invariants.md."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from aitbc.core import canonical, invariants
from aitbc.core.ids import uuid7
from aitbc.core.messaging.models import ATTEMPTS, NEVER
from apps.ai.models import AIJob
from apps.marketplace.models import Outbox
from tests.sabotage import sabotage

LIST = Path(__file__).parents[2] / "docs" / "invariants.md"


def undelivered(**fields: object) -> Outbox:
    common = {"message_id": uuid7(), "consumer": "governance", "name": "marketplace.test.v1", "key": "k", "payload": {}}
    return Outbox.objects.create(**(common | fields))


def reported() -> list[str]:
    return [line for one, lines in invariants.run(["I30"]).items() if one.db == "default" for line in lines]


def test_i30_sees_a_message_that_waits_too_long():
    undelivered(created_at=timezone.now())
    assert reported() == []

    row = undelivered(created_at="2020-01-01T00:00:00Z", attempts=2, last_error="nobody there")

    assert len(reported()) == 1
    assert f"marketplace outbox {row.pk}" in reported()[0] and "nobody there" in reported()[0]


def test_i30_lets_a_dead_letter_lie_but_not_one_that_was_never_tried():
    undelivered(created_at="2020-01-01T00:00:00Z", attempts=ATTEMPTS, due_at=NEVER, last_error="no")
    assert reported() == []

    undelivered(created_at="2020-01-01T00:00:00Z", due_at=NEVER, key="lost")

    assert len(reported()) == 1 and " lost " in reported()[0]


def test_what_waits_behind_a_dead_letter_is_not_lost():
    undelivered(created_at="2020-01-01T00:00:00Z", attempts=ATTEMPTS, due_at=NEVER, last_error="no")
    undelivered(created_at="2020-01-01T00:00:00Z", due_at=NEVER)

    assert reported() == []


def test_the_command_names_each_violation_and_fails():
    undelivered(created_at="2020-01-01T00:00:00Z")
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("audit", "--only", "I30", "--json", stdout=out)

    assert ended.value.code == 1
    (lines,) = json.loads(out.getvalue()).values()
    assert "marketplace" in lines[0]


def test_json_keeps_the_violations_of_every_check_of_a_number(monkeypatch):
    checks = [invariants.Invariant("I30", "gpu", list, False), invariants.Invariant("I30", "ai", list, True)]
    found = dict(zip(checks, [["first"], ["second"]], strict=True))
    monkeypatch.setattr(invariants, "run", lambda only, *, online: found)
    out = StringIO()

    with pytest.raises(SystemExit):
        call_command("audit", "--json", stdout=out)

    assert json.loads(out.getvalue()) == {"I30": ["first", "second"]}


def test_the_command_is_content_with_an_empty_exchange(capsys):
    call_command("audit")

    assert "0 violations" in capsys.readouterr().out


def test_a_row_that_cannot_be_checked_is_a_violation_and_the_others_are_checked(client_api, drain):
    job = client_api.json("POST", "/ai/jobs", {"task_type": "echo"}, status=201)
    result = (
        "INSERT INTO ai_job_result (job_id, attempt, miner_id, provider_id, task_type, result, is_blob, sha256, size,"
    )
    sabotage(
        AIJob,
        f"{result} metrics, rate, metered_ms, started_at, ended_at, created_at) SELECT id, 1, id, id, 'echo',"
        """ '{"n": "\\u0061", "x": 1e400}', false, 'x', 1, '{}', 0, 0, now(), now(), now() FROM ai_job""",
    )

    found = invariants.run()

    lines = {one.name: lines for one, lines in found.items() if one.db == "ai"}
    assert any(f"ai.AIJobResult {job['id']} cannot be checked" in line for line in lines["I6"]), lines["I6"]
    assert len(found) == len(invariants.load())
    assert any(lines["I7"])  # the same row, seen by a check after it


def test_a_check_that_cannot_go_on_is_a_violation(monkeypatch):
    def stops():
        job_id = "4711"
        raise KeyError(job_id)

    monkeypatch.setattr(invariants, "load", lambda: [invariants.Invariant("I99", "ai", stops, False)])

    ((line,),) = invariants.run().values()

    assert line.startswith("it cannot be checked beyond ")


def test_a_row_that_no_decoder_reads_is_named_and_the_rows_around_it_are_checked():
    before, row, after = (undelivered(created_at=timezone.now(), key=key) for key in ("before", "k", "after"))
    too_deep = "[" * 200 + "]" * 200
    sabotage(Outbox, f"UPDATE {Outbox._meta.db_table} SET payload = '{too_deep}' WHERE id = {row.pk}")

    def keys_and_payloads(rows):
        return [one.key for one in rows if canonical.encode(one.payload)]

    found = list(invariants.each_chunk(Outbox.objects.all(), keys_and_payloads))

    assert [found[0], found[2]] == [before.key, after.key]
    assert found[1].startswith(f"marketplace.Outbox {row.pk} cannot be checked: ")


def test_a_number_that_nobody_has_is_refused(capsys):
    with pytest.raises(CommandError, match="There is no invariant ZZ; known are") as refused:
        call_command("audit", "--only", "ZZ", "--only", "I14")

    assert refused.value.returncode == 2


def test_the_documentation_lists_every_invariant_with_its_domain():
    listed = re.findall(r"^\| ([A-Z]\w+) \| (\w+) \|", LIST.read_text(), re.MULTILINE)

    assert sorted(listed) == sorted((one.name, one.db) for one in invariants.load())


def test_the_documentation_names_no_number_that_is_not_registered():
    named = set(re.findall(r"\b[A-Z]\d+[a-z]?\b", LIST.read_text()))

    assert named == {one.name for one in invariants.load()}
