"""Overdue jobs, one for each deadline of each state that is not final."""

from __future__ import annotations

from collections.abc import Iterator

from aitbc.core.db import atomic
from aitbc.core.messaging.relay import drain
from apps.ai.models import AIJob, IdempotencyRecord
from apps.ai.services import results
from apps.gpu.models import Lease
from apps.gpu.services import exchange_downtime
from tests.ai import factories
from tests.ai.factories import MinerFacts, fund, row, submit
from tests.clients import Api
from tests.sweeping import Cases, StateReaders, ago, lose_messages, set_columns


def client() -> Api:
    return Api(owner="client", scopes=("client",))


def submitted() -> Iterator[AIJob]:
    """Its money is never held."""
    api = client()
    fund(api)
    job = row(submit(api, payment_amount="1"))
    lose_messages("ai")
    yield job
    set_columns(job, due_at=ago(seconds=1), expires_at=ago(seconds=1))


def unheld() -> Iterator[AIJob]:
    """The request to hold its money is lost."""
    api = client()
    fund(api)
    job = row(submit(api, payment_amount="1"))
    lose_messages("ai")
    yield job
    set_columns(job, created_at=ago(minutes=2))


def queued() -> Iterator[AIJob]:
    job = row(factories.queued(client()))
    yield job
    set_columns(job, due_at=ago(seconds=1))


def running() -> Iterator[AIJob]:
    """gpu knows no lease of it, and publishes nothing."""
    job = row(factories.running(client(), MinerFacts()))
    yield job
    set_columns(job, due_at=ago(minutes=6), expires_at=ago(minutes=6))


def leased() -> Iterator[AIJob]:
    """Its miner falls silent."""
    job = factories.queued(client())
    miner = Api(owner="miner", scopes=("miner",))
    miner.json("POST", "/gpu/v1/miners/register", {"capabilities": {}, "miner_id": "rig"}, status=200)
    miner.json("POST", "/gpu/v1/miners/poll", {}, status=200)
    drain()
    exchange_downtime.tick()
    yield row(job)
    exchange_downtime.tick()
    set_columns(Lease.objects.get(job_id=job["id"]), lease_until=ago(seconds=1))


def cancelling() -> Iterator[AIJob]:
    """gpu's answer is lost, whatever is asked again."""
    api = client()
    job = factories.running(api, MinerFacts())
    api.json("POST", f"/ai/jobs/{job['id']}/cancel", status=200)
    lose_messages("ai")
    yield row(job)
    set_columns(row(job), due_at=ago(seconds=1))


def unasked() -> Iterator[AIJob]:
    """The request to gpu is lost."""
    api = client()
    job = factories.queued(api)
    api.json("POST", f"/ai/jobs/{job['id']}/cancel", status=200)
    lose_messages("ai")
    yield row(job)
    set_columns(row(job), due_at=ago(minutes=-8))


def succeeded() -> Iterator[AIJob]:
    """The fact that it is to be paid for is lost."""
    miner = MinerFacts()
    job = factories.running(client(), miner, payment_amount="1")
    with atomic(AIJob):
        results.accept([miner.completes(job, 1)])
    lose_messages("ai")
    yield row(job)
    set_columns(row(job), completed_at=ago(minutes=2))


def stored_answer() -> Iterator[IdempotencyRecord]:
    api = client()
    api.json("POST", "/ai/jobs", {"task_type": "echo", "payload": {}}, status=201, idempotency_key="k")
    record = IdempotencyRecord.objects.get()
    yield record
    set_columns(record, created_at=ago(hours=49))


CASES: Cases = {
    "ai.AIJob": {
        "submitted": submitted,
        "submitted, the request for its money is lost": unheld,
        "queued": queued,
        "running": running,
        "running, its miner is silent": leased,
        "cancelling": cancelling,
        "cancelling, the request to gpu is lost": unasked,
        "succeeded": succeeded,
    },
    "ai.IdempotencyRecord": {"stored": stored_answer},
}
STATES: StateReaders = {"ai.IdempotencyRecord": lambda record: "stored"}
