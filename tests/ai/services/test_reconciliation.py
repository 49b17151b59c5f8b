"""A lost fact is emitted again, once, and one that was not lost is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from aitbc.core.messaging import HANDLERS
from aitbc.core.messaging.models import ATTEMPTS
from aitbc.core.messaging.relay import drain as drain_all
from aitbc.core.messaging.relay import drop
from apps.ai.events import JobSubmitted
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


def refuse(events: Sequence[Any]) -> None:
    raise ValueError("out of order today")


def let_die(name: str) -> None:
    """Deliver this fact to a handler that refuses it, again and again, until its row is a dead letter."""
    for _ in range(ATTEMPTS):
        Outbox.objects.filter(name=name, consumer="trading").update(due_at=Now())
        drain_all()
    assert Outbox.objects.dead().filter(name=name).count() == 1


def test_a_dead_letter_is_counted_and_never_repeated(client_api, anonymous_api, monkeypatch):
    fund(client_api)
    monkeypatch.setitem(HANDLERS, (JobSubmitted.NAME, "trading"), refuse)
    job = submit(client_api, payment_amount="1")
    let_die(JobSubmitted.NAME)

    assert [reconciliation.reconcile(grace=NOW) for _ in range(20)] == [0] * 20

    assert Outbox.objects.filter(consumer="trading", key=job["id"]).count() == 1
    assert anonymous_api.json("GET", "/ai/ready")["outbox_dead"] == 1


def test_what_waits_behind_a_dead_letter_is_not_repeated(client_api, monkeypatch):
    fund(client_api)
    monkeypatch.setitem(HANDLERS, (JobSubmitted.NAME, "trading"), refuse)
    job = submit(client_api, payment_amount="1")
    let_die(JobSubmitted.NAME)
    client_api.post(f"/ai/jobs/{job['id']}/cancel")
    rows = Outbox.objects.filter(consumer="trading", key=job["id"])
    before = rows.count()

    assert [reconciliation.reconcile(grace=NOW) for _ in range(5)] == [0] * 5

    assert rows.count() == before


def test_a_dropped_dead_letter_is_repeated(client_api, drain, monkeypatch):
    fund(client_api)
    with monkeypatch.context() as broken:
        broken.setitem(HANDLERS, (JobSubmitted.NAME, "trading"), refuse)
        jobs = [submit(client_api, payment_amount="1")]
        let_die(JobSubmitted.NAME)
    dead = Outbox.objects.dead().values_list("pk", flat=True)

    assert drop("ai", list(dead), actor="operator:test", reason="lost its meaning") == 1
    assert reconciliation.reconcile(grace=NOW) == 1
    drain()

    assert state(client_api, jobs[0]) == "queued"
