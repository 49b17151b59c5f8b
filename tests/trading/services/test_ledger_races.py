"""Many hands on the same money, with real threads and real commits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections

from aitbc.core.db import retrying
from aitbc.core.errors import Conflict, InsufficientFunds
from apps.trading.interface import available
from apps.trading.invariants.ledger import (
    balances_are_sums,
    debits_equal_credits,
    no_account_is_overdrawn,
)
from apps.trading.invariants.payments import nothing_is_paid_twice
from apps.trading.models import Payment, Transfer
from apps.trading.services import ledger, payments
from apps.trading.states import Code, Phase
from tests.trading.factories import completed, ended, funded, submitted, transfer
from tests.trading.inspection import worth

pytestmark = pytest.mark.transaction
THREADS = 20


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Run the calls in a thread each, started together; returns their answers or errors."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return retrying(call)
        except Exception as error:  # noqa: BLE001  whatever it is, the test judges it
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def books_are_right() -> bool:
    checks = (debits_equal_credits, balances_are_sums, no_account_is_overdrawn, nothing_is_paid_twice)
    return [violation for check in checks for violation in check()] == []


def test_twenty_threads_cannot_spend_one_balance_twice() -> None:
    owner, shop = funded(1_000), uuid4()
    requests = [transfer(owner, shop, 300) for _ in range(THREADS)]

    answers = at_once([lambda r=r: ledger.post([r], actor="system:test") for r in requests])

    assert sum(isinstance(answer, list) for answer in answers) == 3
    assert sum(isinstance(answer, InsufficientFunds) for answer in answers) == THREADS - 3
    assert worth(owner, shop) == [100, 900]
    assert books_are_right()


def test_twenty_holds_on_one_balance() -> None:
    owner = funded(1_000)
    jobs = [submitted(owner, 300) for _ in range(THREADS)]

    answers = at_once([lambda job=job: payments.hold([job]) for job in jobs])

    assert answers == [None] * THREADS
    assert Payment.objects.filter(owner_id=owner).held().count() == 3
    assert available(owner) == 100
    assert books_are_right()


def test_one_hold_is_resolved_by_one_of_twenty() -> None:
    owner, shop = funded(1_000), funded(1)
    hold = transfer(owner, shop, 800, phase=Phase.PENDING)
    ledger.post([hold], actor="system:test")
    resolutions = [
        transfer(owner, shop, 800, phase=Phase.VOID if n % 2 else Phase.POST, pending_id=hold.id)
        for n in range(THREADS)
    ]

    answers = at_once([lambda r=r: ledger.post([r], actor="system:test") for r in resolutions])

    assert sum(isinstance(answer, list) for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == THREADS - 1
    assert sum(worth(owner, shop)) == 1_001
    assert books_are_right()


def test_the_same_transfer_from_twenty_threads_is_one() -> None:
    owner, shop = funded(1_000), uuid4()
    request = transfer(owner, shop, 100)

    answers = at_once([lambda: ledger.post([request], actor="system:test") for _ in range(THREADS)])

    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert sorted(map(len, answers)) == [0] * (THREADS - 1) + [1]
    assert worth(owner, shop) == [900, 100]


def test_money_going_round_does_not_deadlock() -> None:
    owners = [funded(1_000) for _ in range(4)]
    rounds = [[transfer(owners[n % 4], owners[(n + step) % 4], 1) for step in (1, 2, 3)] for n in range(THREADS)]

    answers = at_once([lambda batch=batch: ledger.post(batch, actor="system:test") for batch in rounds])

    assert all(isinstance(answer, list) for answer in answers)
    assert sum(worth(*owners)) == 4_000
    assert books_are_right()


def test_a_result_and_a_cancel_at_once_pay_once() -> None:
    owner, provider = funded(20_000_000), uuid4()
    jobs = [submitted(owner, 1_000_000) for _ in range(10)]
    payments.hold(jobs)

    answers = at_once(
        [lambda job=job: payments.settle([completed(job, provider)]) for job in jobs]
        + [lambda job=job: payments.refund([ended(job)]) for job in jobs]
    )

    assert answers == [None] * THREADS
    settled = Payment.objects.filter(owner_id=owner).settled().count()
    refunded = Payment.objects.filter(owner_id=owner).refunded().count()
    assert settled + refunded == 10
    assert worth(provider) == [485_000 * settled]
    assert worth(owner) == [20_000_000 - 500_000 * settled]
    assert books_are_right()


def test_batches_that_overlap_pay_each_job_once() -> None:
    owner, provider = funded(30_000_000), uuid4()
    jobs = [submitted(owner, 1_000_000) for _ in range(20)]
    payments.hold(jobs)
    done = [completed(job, provider) for job in jobs]

    answers = at_once([lambda n=n: payments.settle(done[n:] + done[:n]) for n in range(6)])

    assert answers == [None] * 6
    refs = [UUID(job.job_id) for job in jobs]
    assert Transfer.objects.filter(ref__in=refs, code=Code.PAYOUT).count() == 20
    assert worth(provider) == [485_000 * 20]
    assert books_are_right()
