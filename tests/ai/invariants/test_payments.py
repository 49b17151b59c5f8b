"""I17c: whose a job is, and which payment and receipt it names; broken on purpose, and reported."""

from __future__ import annotations

import pytest

from apps.ai.invariants.jobs import jobs_and_payments_agree
from apps.ai.models import AIJob
from tests.ai.factories import publish, running
from tests.sabotage import sabotage


@pytest.fixture
def settled(client_api, miner, drain):
    """The ids of two settled jobs at the same price, and of one that was not paid."""
    paid = [running(client_api, miner, payment_amount="1") for _ in range(2)]
    unpaid = running(client_api, miner)
    publish(*(miner.completes(job, "x") for job in [*paid, unpaid]))
    drain()
    assert set(AIJob.objects.values_list("state", flat=True)) == {"settled"}
    assert list(jobs_and_payments_agree()) == []
    return [job["id"] for job in [*paid, unpaid]]


@pytest.mark.parametrize("change", ["owner_id = gen_random_uuid()", "payment_id = NULL", "receipt_id = NULL"])
def test_i17c_sees_another_owner_payment_or_receipt(settled, change):
    sabotage(AIJob, f"UPDATE ai_job SET {change} WHERE id = '{settled[0]}'")

    lines = list(jobs_and_payments_agree())
    assert lines and all(settled[0] in line for line in lines)


@pytest.mark.parametrize("change", ["owner_id = gen_random_uuid()", "receipt_id = gen_random_uuid()"])
def test_i17c_sees_an_unpaid_job_unlike_its_receipt(settled, change):
    sabotage(AIJob, f"UPDATE ai_job SET {change} WHERE id = '{settled[2]}'")

    (line,) = jobs_and_payments_agree()
    assert settled[2] in line


@pytest.mark.parametrize("column", ["payment_id", "receipt_id"])
def test_i17c_sees_payments_or_receipts_that_two_jobs_exchanged(settled, column):
    one, other, _ = settled
    sabotage(
        AIJob,
        f"UPDATE ai_job j SET {column} = o.{column} FROM ai_job o"
        f" WHERE (j.id, o.id) IN (('{one}', '{other}'), ('{other}', '{one}'))",
    )

    lines = list(jobs_and_payments_agree())
    assert len(lines) == 2 and all(any(job in line for line in lines) for job in (one, other))
