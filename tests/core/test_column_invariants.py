"""R1, R2 and R3, each broken on purpose in a row; and how the command reports rows that a check cannot read."""

from __future__ import annotations

import json
import logging
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from aitbc.core import invariants, jsonb
from aitbc.core.ids import uuid7
from apps.ai.models import AIJob
from apps.gpu.models import Miner
from apps.marketplace.models import Reliability
from tests.clients import Api
from tests.sabotage import sabotage


@pytest.fixture
def job(client_api: Api) -> str:
    return str(client_api.json("POST", "/ai/jobs", {"task_type": "echo"}, status=201)["id"])


def reported(number: str) -> list[str]:
    out = StringIO()
    try:
        call_command("audit", "--only", number, "--json", stdout=out)
    except SystemExit as ended:
        assert ended.code == 1
    return list(json.loads(out.getvalue()).get(number, []))


@pytest.mark.parametrize("value", ["'infinity'", "'-infinity'", "'12000-01-01'", "'4000-01-01 BC'"])
def test_r1_names_the_row_and_its_columns_of_times(job: str, value: str) -> None:
    assert reported("R1") == []

    sabotage(AIJob, f"UPDATE ai_job SET created_at = {value}, due_at = {value} WHERE id = '{job}'")

    assert reported("R1") == [f"ai.AIJob {job}: created_at, due_at cannot be right"]


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_r1_names_numbers_that_are_not_finite(value: str) -> None:
    made = Reliability.objects.create(miner_id=uuid7(), provider_id=uuid7(), r=0.5, ok=1, failed=0)
    sabotage(Reliability, f"UPDATE {Reliability._meta.db_table} SET r = '{value}', ok = '{value}'")

    assert reported("R1") == [f"marketplace.Reliability {made.pk}: r, ok cannot be right"]


def test_r2_names_json_that_is_no_object_unless_it_is_free(job: str) -> None:
    sabotage(AIJob, f"UPDATE ai_job SET payload = '[1]' WHERE id = '{job}'")
    assert reported("R2") == []

    sabotage(AIJob, f"UPDATE ai_job SET constraints = '[1]' WHERE id = '{job}'")

    assert reported("R2") == [f"ai.AIJob {job}: constraints cannot be right"]


def test_r2_names_json_null(miner_api: Api) -> None:
    miner_api.json("POST", "/gpu/v1/miners/register", {"capabilities": {}}, status=200)
    sabotage(Miner, "UPDATE gpu_miner SET metrics = 'null'")

    assert reported("R2") == [f"gpu.Miner {Miner.objects.get().pk}: metrics cannot be right"]


@pytest.mark.parametrize(("opening", "closing"), [('{"a": ', "}"), ("[", "]")])
def test_r3_names_json_that_is_nested_deeper_than_is_read(job: str, opening: str, closing: str) -> None:
    sabotage(AIJob, f"UPDATE ai_job SET payload = '{opening * 128}1{closing * 128}' WHERE id = '{job}'")
    assert reported("R3") == []
    assert not isinstance(AIJob.objects.get().payload, jsonb.Unreadable)

    sabotage(AIJob, f"UPDATE ai_job SET payload = '{opening * 128}[]{closing * 128}' WHERE id = '{job}'")
    assert reported("R3") == [f"ai.AIJob {job}: payload cannot be right"]

    sabotage(AIJob, f"UPDATE ai_job SET payload = '{opening * 6_000}1{closing * 6_000}' WHERE id = '{job}'")
    assert reported("R3") == [f"ai.AIJob {job}: payload cannot be right"]
    assert isinstance(AIJob.objects.get().payload, jsonb.Unreadable)


def failing(*args: Any) -> Any:
    raise ValueError("two\nlines")


@pytest.mark.parametrize(("verbosity", "tracebacks"), [(1, 0), (2, 1)])
def test_the_report_is_one_line_a_row_and_tracebacks_are_for_the_curious(
    verbosity: int, tracebacks: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    check = invariants.Invariant("I99", "ai", lambda: invariants.each(["4711"], failing), False)
    monkeypatch.setattr(invariants, "load", lambda: [check])
    out = StringIO()

    try:
        with pytest.raises(SystemExit):
            call_command("audit", verbosity=verbosity, stdout=out)
    finally:
        invariants.log.setLevel(logging.NOTSET)

    assert "4711 cannot be checked: ValueError: two lines" in out.getvalue()
    assert sum(record.exc_info is not None for record in caplog.records) == tracebacks
