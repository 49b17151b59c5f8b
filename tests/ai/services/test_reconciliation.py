"""A lost fact is emitted again, once, and one that was not lost is left alone."""

from datetime import timedelta

from apps.ai.models import Outbox
from apps.ai.services import reconciliation
from tests.ai.factories import fund, publish, queued, row, running, state, submit

NOW = timedelta(0)


def lose_messages():
    """A disaster: ai's outbox is restored empty."""
    Outbox.objects.all().delete()


def test_a_lost_submission_is_repeated(client_api, drain):
    fund(client_api)
    job = submit(client_api, payment_amount="1")
    lose_messages()

    assert reconciliation.reconcile(grace=NOW) == 1
    drain()

    assert state(client_api, job) == "queued"


def test_a_lost_completion_is_repeated_and_paid_once(client_api, miner, drain):
    from aitbc.core.db import atomic
    from apps.ai.models import AIJob
    from apps.ai.services import results

    job = running(client_api, miner, payment_amount="1")
    with atomic(AIJob):
        results.accept([miner.completes(job, 1)])
    lose_messages()

    assert reconciliation.reconcile(grace=NOW) == 1
    drain()
    assert reconciliation.reconcile(grace=NOW) == 0

    assert state(client_api, job) == "settled"
    assert row(job).paid + row(job).fee == 30_000


def test_a_lost_ending_is_repeated_and_refunded(client_api, drain):
    job = queued(client_api, payment_amount="1")
    client_api.post(f"/ai/jobs/{job['id']}/cancel")
    lose_messages()

    assert reconciliation.reconcile(grace=NOW) == 1
    drain()

    assert (row(job).payment_status, row(job).refunded) == ("refunded", 1_000_000)


def test_a_fact_still_in_the_outbox_is_not_repeated(client_api):
    fund(client_api)
    submit(client_api, payment_amount="1")

    assert reconciliation.reconcile(grace=NOW) == 0
    assert reconciliation.reconcile() == 0


def test_a_repeated_ending_refunds_once(client_api, miner, drain):
    job = running(client_api, miner, max_attempts=1, payment_amount="1")
    publish(miner.fails(job, "ENGINE_ERROR"))
    before = client_api.json("GET", f"/ai/jobs/{job['id']}/payment")

    row(job).__class__.objects.filter(pk=job["id"]).update(payment_status="held")
    assert reconciliation.reconcile(grace=NOW) == 1
    drain()

    assert client_api.json("GET", f"/ai/jobs/{job['id']}/payment") == before
    assert row(job).payment_status == "refunded"
