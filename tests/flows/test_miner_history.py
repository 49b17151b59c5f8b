"""The jobs of a miner, filtered by kind of work and by reward."""

from __future__ import annotations

import pytest

HISTORY = "/gpu/v1/miners/rig-1/jobs"


@pytest.fixture
def done(exchange) -> dict[str, str]:
    """One unpaid job and one for 1 AIT, of different kinds."""
    exchange.fund("10")
    exchange.register()
    jobs = {"free": exchange.submit(None), "paid": exchange.submit("1", task_type="inference")}
    for _ in jobs:
        exchange.deliver(exchange.poll(), {"output": "x"})
    return {name: job["id"] for name, job in jobs.items()}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"free", "paid"}),
        ("job_type=inference", {"paid"}),
        ("type=embedding", {"free"}),
        ("min_reward=0.5", {"paid"}),
        ("min_reward=1.000001", set()),
        ("job_status=COMPLETED&min_reward=0", {"free", "paid"}),
        ("status=failed", set()),
    ],
)
def test_a_history_is_filtered_by_the_query(exchange, done, query, expected):
    for verb in ("GET", "POST"):
        page = exchange.miner.json(verb, f"{HISTORY}?{query}", status=200)

        assert {job["job_id"] for job in page["jobs"]} == {done[name] for name in expected}
        assert page["total"] == len(expected)


def test_each_job_of_a_history_says_what_it_was_and_offered(exchange, done):
    page = exchange.miner.json("GET", HISTORY, status=200)

    listed = {job["job_id"]: (job["task_type"], job["reward"]) for job in page["jobs"]}
    assert listed == {done["free"]: ("embedding", "0.000000"), done["paid"]: ("inference", "1.000000")}
