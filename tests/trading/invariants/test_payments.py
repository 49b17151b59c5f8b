"""I16 to I18 (payments of jobs), broken on purpose by a superuser with the guards off, and reported."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from aitbc.core.db import atomic
from apps.ai.models import AIJob
from apps.ai.services import job_endings
from apps.gpu.events import WorkWithdrawn
from apps.trading.models import Payment, Transfer
from apps.trading.services import ledger
from tests.sabotage import sabotage
from tests.trading.factories import funded, transfer
from tests.trading.inspection import reported

PAYMENTS = "UPDATE trading_payment SET"
BREAKS = {
    "ended, yet held": ("I16", f"{PAYMENTS} state = 'held'"),
    "a hold of nobody": ("I16", "DELETE FROM trading_payment"),
    "parts that do not add up": ("I17", f"{PAYMENTS} paid = paid + 1, fee = fee - 1"),
    "paid for no job": ("I17", "DELETE FROM trading_payment"),
}  # fmt: skip


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_invariant_is_reported(what: str, paid_job: Callable[[], UUID]) -> None:
    name, statement = BREAKS[what]
    paid_job()
    ledger.take_snapshot()

    sabotage(Transfer, statement)

    assert reported(name) != []


COPY = """
INSERT INTO trading_transfer (id, seq, debit_id, credit_id, amount, code, phase, pending_id, group_id, ref,
  actor, reason, at, leaf)
SELECT gen_random_uuid(), nextval('trading_transfer_seq'), debit_id, credit_id, amount, code, phase, pending_id,
  group_id, ref, actor, reason, at, leaf FROM trading_transfer WHERE code = '{}'
"""


def test_a_hold_resolved_twice_is_reported(paid_job: Callable[[], UUID]) -> None:
    paid_job()

    sabotage(
        Transfer, "ALTER TABLE trading_transfer DROP CONSTRAINT trading_transfer_pending_id_key", COPY.format("capture")
    )

    assert any("resolved 2 times" in line for line in reported("I16"))


def test_a_job_paid_twice_is_reported(paid_job: Callable[[], UUID]) -> None:
    job_id = paid_job()

    sabotage(Transfer, COPY.format("payout"))

    assert any(f"job {job_id} has 2 transfers of payout" == line for line in reported("I17"))


def test_a_payment_that_contradicts_its_job_is_reported(client_api, drain) -> None:  # type: ignore[no-untyped-def]
    ledger.post([transfer(funded(10_000_000), client_api.owner_id, 5_000_000)], actor="system:test")
    answer = client_api.post("/ai/jobs", {"task_type": "benchmark", "payload": {}, "payment_amount": "1"})
    assert answer.status_code == 201, answer.content
    drain()
    payment = Payment.objects.get(job_id=answer.json()["id"])
    sound = reported("I18")

    sabotage(Transfer, "UPDATE trading_payment SET state = 'refunded', refunded = amount")

    assert sound == []
    assert [f"job {payment.job_id} is queued, its payment refunded"] == reported("I18")


def test_money_held_for_a_job_that_is_over_is_reported(client_api, drain) -> None:  # type: ignore[no-untyped-def]
    ledger.post([transfer(funded(10_000_000), client_api.owner_id, 5_000_000)], actor="system:test")
    job = client_api.post("/ai/jobs", {"task_type": "benchmark", "payload": {}, "payment_amount": "1"}).json()
    drain()
    client_api.post(f"/ai/jobs/{job['id']}/cancel")
    with atomic(AIJob):
        job_endings.conclude([WorkWithdrawn(job_id=job["id"], attempt=0, metered_ms=0)])
    held = reported("I16")

    drain()

    assert held == [f"job {job['id']} is cancelled, but its money is still held"]
    assert reported("I16") == []
