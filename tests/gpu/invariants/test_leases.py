"""Each invariant of leases and waiting work, broken on purpose with the guards put aside, and reported."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aitbc.core import invariants
from aitbc.core.ids import uuid7
from apps.ai.models import AIJob
from apps.gpu.models import Lease
from tests.ai.factories import fund
from tests.clients import Api
from tests.sabotage import sabotage

M = "/gpu/v1/miners"


def reported(name: str) -> list[str]:
    return [line for one, lines in invariants.run([name]).items() if one.db == "gpu" for line in lines]


@pytest.fixture
def day(client_api: Api, miner_api: Api, drain: Callable[[], int]) -> dict[str, str]:
    """One job of each kind: done, lost and tried again, held, waiting."""
    fund(client_api)
    for name in ("rig", "other"):
        body = {"capabilities": {}, "miner_id": name, "concurrency": 8}
        miner_api.json("POST", f"{M}/register", body, status=200)
    jobs = {}
    for what in ("done", "failed", "held", "waiting"):
        jobs[what] = client_api.json("POST", "/ai/jobs", {"task_type": "x", "payment_amount": "1"}, status=201)["id"]
        drain()
        if what != "waiting":
            assert miner_api.json("POST", f"{M}/poll", {"miner_id": "rig"}, status=200)["job_id"] == jobs[what]
            drain()
    miner_api.json("POST", f"{M}/{jobs['done']}/result", {"result": "x", "miner_id": "rig"}, status=200)
    miner_api.json("POST", f"{M}/{jobs['failed']}/fail", {"code": "ENGINE_ERROR", "miner_id": "rig"}, status=200)
    drain()
    return jobs


COLUMNS = [field.column for field in Lease._meta.concrete_fields if field.column != "id"]
COPY = f"INSERT INTO gpu_lease ({', '.join(COLUMNS)}) SELECT {', '.join(COLUMNS)} FROM gpu_lease WHERE job_id = '{{}}'"
UNGUARDED = ("DROP INDEX gpu_lease_one_live", "DROP INDEX gpu_lease_attempt")
NUMBERS = ["I4", "I4b", "I4c", "I5", "I7", "I7b", "I8", "I30"]


def test_an_ordinary_day_is_reported_by_nobody(day: dict[str, str]) -> None:
    assert {name: reported(name) for name in NUMBERS} == {name: [] for name in NUMBERS}


def test_i4_sees_a_job_held_twice(day: dict[str, str]) -> None:
    sabotage(Lease, *UNGUARDED, COPY.format(day["held"]))

    assert reported("I4") == [f"job {day['held']} was held twice at one time"]


def test_i4_sees_two_leases_that_overlapped(day: dict[str, str]) -> None:
    later = "attempt = 2, granted_at = granted_at + (ended_at - granted_at) / 2, ended_at = ended_at + interval '1 h'"
    sabotage(
        Lease,
        *UNGUARDED, COPY.format(day["done"]),
        f"UPDATE gpu_lease SET {later} WHERE id = (SELECT max(id) FROM gpu_lease)",
    )  # fmt: skip

    assert reported("I4") == [f"job {day['done']} was held twice at one time"]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE gpu_work SET state = 'waiting' WHERE job_id = '{held}'",
        "UPDATE gpu_work SET state = 'leased' WHERE job_id = '{waiting}'",
        "DELETE FROM gpu_work WHERE job_id = '{held}'",
    ],
)
def test_i4b_sees_work_and_lease_that_disagree(day: dict[str, str], damage: str) -> None:
    sabotage(Lease, damage.format(**day))

    assert len(reported("I4b")) == 1


def test_i4c_sees_work_that_nobody_can_find(day: dict[str, str]) -> None:
    sabotage(Lease, "DELETE FROM gpu_requirementclass")

    assert any(day["waiting"] in line for line in reported("I4c"))


def test_i5_sees_an_attempt_that_falls_or_is_granted_again(day: dict[str, str]) -> None:
    sabotage(Lease, *UNGUARDED, COPY.format(day["done"]))
    assert reported("I5") == [f"job {day['done']}: attempt 1 follows 1"]

    sabotage(Lease, "UPDATE gpu_lease SET attempt = 0 WHERE id = (SELECT max(id) FROM gpu_lease)")
    assert reported("I5") == [f"job {day['done']}: attempt 0 follows 1"]


def test_i7_sees_two_accepted_results(day: dict[str, str]) -> None:
    sabotage(Lease, *UNGUARDED, COPY.format(day["done"]))

    assert reported("I7") == [f"job {day['done']} has 2 accepted results"]


def test_i8_sees_a_miner_that_holds_more_than_it_declared(day: dict[str, str]) -> None:
    sabotage(
        Lease,
        "ALTER TABLE gpu_miner DROP CONSTRAINT gpu_miner_concurrency",
        "UPDATE gpu_miner SET concurrency = 0, changed_at = '2020-01-01T00:00Z'",
    )

    assert reported("I8") == ["miner rig holds 1 of 0"]


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        ("UPDATE gpu_lease SET attempt = 2 WHERE job_id = '{held}'", "held"),
        ("UPDATE gpu_lease SET miner_id = gen_random_uuid() WHERE job_id = '{held}'", "held"),
        ("DELETE FROM gpu_lease WHERE job_id = '{held}'", "held"),
        ("UPDATE gpu_lease SET result_sha256 = repeat('0', 64) WHERE job_id = '{done}'", "done"),
        ("DELETE FROM gpu_lease WHERE job_id = '{done}'", "done"),
    ],
)
def test_i30_sees_a_lease_and_a_job_that_tell_different_stories(day: dict[str, str], damage: str, word: str) -> None:
    sabotage(Lease, damage.format(**day))

    assert [line for line in reported("I30") if day[word] in line]


def test_i30_sees_a_lease_of_a_job_that_is_unknown(day: dict[str, str]) -> None:
    stranger = uuid7()
    sabotage(Lease, f"UPDATE gpu_lease SET job_id = '{stranger}' WHERE job_id = '{day['held']}'")

    assert [line for line in reported("I30") if str(stranger) in line]


def test_i7b_sees_a_job_that_ended_otherwise_although_its_result_was_accepted(day: dict[str, str]) -> None:
    sabotage(AIJob, f"UPDATE ai_job SET state = 'cancelled', deleted_at = now() WHERE id = '{day['done']}'")

    assert any("was accepted" in line for line in reported("I7b"))


def test_i7b_sees_a_job_billed_for_more_than_its_lease_ran(day: dict[str, str]) -> None:
    sabotage(AIJob, f"UPDATE ai_job SET billable_ms = billable_ms + 1 WHERE id = '{day['done']}'")

    assert any("more than the lease" in line for line in reported("I7b"))
