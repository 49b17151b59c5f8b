"""I17d: what a paid job costs per hour and in all; broken on purpose, and reported."""

from __future__ import annotations

import pytest

from apps.ai.invariants.prices import jobs_cost_what_was_agreed
from apps.ai.models import AIJob
from tests.ai.factories import publish, queued, running
from tests.sabotage import sabotage


@pytest.fixture
def settled(client_api, miner):
    """A job paid for 30 s at 3.6 AIT an hour, beside others that cost nothing."""
    job = running(client_api, miner, payment_amount="1")
    publish(miner.completes(job, "x"))
    running(client_api, miner, constraints={"max_price": "2"})  # unpaid, above its ceiling: as in a booking
    queued(client_api, payment_amount="1", constraints={"max_price": "2"})
    return job["id"]


def test_nothing_is_reported_of_ordinary_jobs(settled):
    assert list(jobs_cost_what_was_agreed()) == []


@pytest.mark.parametrize(
    "damage",
    [
        "rate = 10000001",
        "max_price = 3590000",
        "paid = paid + 1",
        "billable_ms = billable_ms - 1",
        "max_price = NULL",
        "max_price_source = ''",
        "requirement = requirement - 'max_price'",
    ],
)
def test_i17d_sees_a_job_that_costs_more_than_was_agreed(settled, damage):
    sabotage(AIJob, f"UPDATE ai_job SET {damage} WHERE id = '{settled}'")

    (line,) = jobs_cost_what_was_agreed()
    assert settled in line
