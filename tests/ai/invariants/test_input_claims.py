"""I18b: bad input that nobody has proven is not billed; broken on purpose, and reported."""

from __future__ import annotations

import pytest

from apps.ai.invariants.input_claims import bad_input_is_proven
from apps.ai.models import AIJob
from tests.ai.factories import MinerFacts, publish, running
from tests.sabotage import sabotage


@pytest.fixture
def jobs(client_api, miner):
    """One job failed by the schema, one by two owners, one computed after a claim, one that is still open."""
    made = [running(client_api, miner, task_type="ocr", payload={"image": n}, payment_amount="1") for n in (7, "YQ==")]
    made += [running(client_api, miner, payment_amount="1") for _ in range(2)]
    other = MinerFacts()
    publish(*(miner.fails(job, "BAD_INPUT") for job in made))
    publish(*(other.grants(job, attempt=2) for job in made[1:3]))
    publish(other.fails(made[1], "BAD_INPUT", attempt=2), other.completes(made[2], "x", attempt=2))
    return dict(zip(("schema", "agreed", "computed", "open"), (job["id"] for job in made), strict=True))


def test_nothing_is_reported_of_claims_that_were_judged(jobs):
    states = dict(AIJob.objects.values_list("pk", "state"))

    assert sorted(states.values()) == ["failed", "failed", "queued", "settled"]
    assert list(bad_input_is_proven()) == []


@pytest.mark.parametrize(
    ("damage", "which"),
    [
        ("DELETE FROM ai_input_claim WHERE job_id = '{schema}'", "schema"),
        ("UPDATE ai_input_claim SET fault = '' WHERE job_id = '{schema}'", "schema"),
        ("UPDATE ai_job SET billable_ms = 5001 WHERE id = '{schema}'", "schema"),
        ("DELETE FROM ai_input_claim WHERE job_id = '{agreed}' AND attempt = 1", "agreed"),
        (
            "UPDATE ai_input_claim SET provider_id = (SELECT provider_id FROM ai_job WHERE id = '{agreed}')"
            " WHERE job_id = '{agreed}'",
            "agreed",
        ),
        ("UPDATE ai_input_claim SET metered_ms = 1 WHERE job_id = '{agreed}' AND attempt = 1", "agreed"),
        ("UPDATE ai_input_claim SET verdict = 'refuted' WHERE job_id = '{agreed}'", "agreed"),
        ("UPDATE ai_input_claim SET verdict = 'open' WHERE job_id = '{computed}'", "computed"),
        ("UPDATE ai_input_claim SET verdict = 'upheld' WHERE job_id = '{open}'", "open"),
    ],
)
def test_i18b_sees_bad_input_that_nobody_has_proven(jobs, damage, which):
    sabotage(AIJob, damage.format(**jobs))

    assert any(jobs[which] in line for line in bad_input_is_proven())
