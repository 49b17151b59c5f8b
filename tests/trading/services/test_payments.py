"""Payments of jobs: held, settled, refunded; never twice, never partly."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from aitbc.core.errors import Conflict
from aitbc.core.ids import uuid7
from apps.trading.interface import earnings, open_holds, payment_of
from apps.trading.models import Payment, PaymentEvent, Receipt, Transfer
from apps.trading.services import payments
from apps.trading.states import Code, PaymentState
from tests.trading.factories import HOUR, completed, ended, funded, submitted
from tests.trading.inspection import fees, published, worth


def state_of(job_id: str) -> str:
    return Payment.objects.get(job_id=UUID(job_id)).state


def test_a_hold_sets_the_money_aside_and_says_so() -> None:
    owner = funded(1_000_000)
    job = submitted(owner, 400_000)

    payments.hold([job])

    assert worth(owner) == [600_000]
    [fact] = published("payment.held", job.job_id)
    assert fact["amount"] == 400_000
    held = payment_of(UUID(job.job_id))
    assert held is not None and (held.state, held.amount) == ("held", 400_000)


def test_who_cannot_pay_is_refused() -> None:
    owner = funded(100)
    job = submitted(owner, 101)

    payments.hold([job])

    assert worth(owner) == [100]
    [fact] = published("payment.refused", job.job_id)
    assert (fact["needed"], fact["available"]) == (101, 100)
    assert not Transfer.objects.filter(ref=UUID(job.job_id)).exists()


def test_a_batch_is_served_in_turn_until_the_money_is_gone() -> None:
    owner, other = funded(100), funded(50)
    jobs = [submitted(owner, 60), submitted(owner, 60), submitted(other, 50), submitted(owner, 40)]

    payments.hold(jobs)

    assert [state_of(job.job_id) for job in jobs] == ["held", "refused", "held", "held"]
    assert worth(owner, other) == [0, 0]


def test_a_repeated_request_is_answered_again_and_changes_nothing() -> None:
    owner = funded(100)
    job, poor = submitted(owner, 60), submitted(owner, 60)

    payments.hold([job, poor])
    payments.hold([job, poor])

    assert worth(owner) == [40]
    assert len(published("payment.held", job.job_id)) == 2
    assert len(published("payment.refused", poor.job_id)) == 2


def test_a_done_job_pays_its_provider_the_fee_and_the_rest_back() -> None:
    owner, provider = funded(2_000_000), uuid4()
    job = submitted(owner, 800_000)
    payments.hold([job])
    before = fees()

    payments.settle([completed(job, provider)])

    assert worth(owner, provider) == [1_500_000, 485_000]
    assert fees() - before == 15_000
    [fact] = published("receipt.issued", job.job_id)
    assert (fact["paid"], fact["fee"], fact["refunded"]) == (485_000, 15_000, 300_000)
    assert fact["receipt_id"] == str(Receipt.objects.get(job_id=UUID(job.job_id)).pk)


def test_a_provider_is_never_paid_more_than_was_held() -> None:
    owner, provider = funded(1_000), uuid4()
    job = submitted(owner, 1_000)
    payments.hold([job])

    payments.settle([completed(job, provider, metered_ms=100 * HOUR)])

    assert worth(owner, provider) == [0, 970]


def test_a_job_done_twice_is_paid_once() -> None:
    owner, provider = funded(1_000_000), uuid4()
    job = submitted(owner, 1_000_000)
    payments.hold([job])
    done = completed(job, provider)

    payments.settle([done])
    payments.settle([done])
    payments.settle([completed(job, uuid4(), attempt=2)])

    assert worth(owner, provider) == [500_000, 485_000]
    assert len({fact["receipt_id"] for fact in published("receipt.issued", job.job_id)}) == 1
    assert Transfer.objects.filter(ref=UUID(job.job_id), code=Code.PAYOUT).count() == 1


def test_a_job_that_costs_nothing_has_a_receipt_over_nothing() -> None:
    done = completed(None, uuid4())

    payments.settle([done])

    [fact] = published("receipt.issued", done.job_id)
    assert (fact["paid"], fact["fee"], fact["refunded"]) == (0, 0, 0)
    assert not Transfer.objects.filter(ref=UUID(done.job_id)).exists()


def test_a_paid_job_without_a_hold_is_not_settled() -> None:
    job = submitted(uuid4(), 10)

    with pytest.raises(Conflict):
        payments.settle([completed(job, uuid4())])

    assert not Payment.objects.filter(job_id=UUID(job.job_id)).exists()


def test_a_client_may_be_its_own_provider() -> None:
    owner = funded(1_000_000)
    job = submitted(owner, 1_000_000)
    payments.hold([job])

    payments.settle([completed(job, owner)])

    assert worth(owner) == [985_000]


def test_a_batch_of_many_owners_adds_up() -> None:
    owners, provider = [funded(1_000_000) for _ in range(5)], uuid4()
    jobs = [submitted(owner, 300_000) for owner in owners for _ in range(3)]
    payments.hold(jobs)
    before = fees()

    payments.settle([completed(job, provider, metered_ms=HOUR // 10) for job in jobs])

    assert worth(*owners) == [700_000] * 5
    assert worth(provider)[0] + fees() - before == 1_500_000


def test_a_job_that_ended_before_it_began_costs_nothing() -> None:
    owner = funded(100)
    job = submitted(owner, 80)
    payments.hold([job])

    payments.refund([ended(job)])

    assert worth(owner) == [100]
    [fact] = published("payment.refunded", job.job_id)
    assert (fact["refunded"], fact["paid"]) == (80, 0)


def test_work_done_before_the_end_is_paid() -> None:
    owner, provider = funded(1_000_000), uuid4()
    job = submitted(owner, 1_000_000)
    payments.hold([job])

    work = {"provider_id": str(provider), "miner_id": str(uuid4()), "rate": 1_000_000, "billable_ms": HOUR // 10}
    payments.refund([ended(job, **work)])

    assert worth(owner, provider) == [900_000, 97_000]
    [fact] = published("payment.refunded", job.job_id)
    assert (fact["refunded"], fact["paid"]) == (900_000, 97_000)
    receipt = Receipt.objects.for_job(UUID(job.job_id)).get()
    assert {name: receipt.body[name] for name in ("outcome", "price", "fee", "refunded", "output_hash")} == {
        "outcome": "cancelled", "price": "0.100000", "fee": "0.003000", "refunded": "0.900000", "output_hash": "",
    }  # fmt: skip


def test_an_end_published_twice_refunds_once() -> None:
    owner = funded(100)
    job = submitted(owner, 80)
    payments.hold([job])

    payments.refund([ended(job)])
    payments.refund([ended(job)])

    assert worth(owner) == [100]
    assert len(published("payment.refunded", job.job_id)) == 2


def test_whichever_end_comes_first_is_the_end() -> None:
    owner, provider = funded(2_000_000), uuid4()
    kept, back = submitted(owner, 1_000_000), submitted(owner, 1_000_000)
    payments.hold([kept, back])

    payments.settle([completed(kept, provider)])
    payments.refund([ended(kept), ended(back)])
    payments.settle([completed(back, provider)])

    assert (state_of(kept.job_id), state_of(back.job_id)) == (PaymentState.SETTLED, PaymentState.REFUNDED)
    assert worth(owner, provider) == [1_500_000, 485_000]
    assert published("receipt.issued", back.job_id) == []


def test_a_hold_that_comes_after_the_end_is_not_made() -> None:
    owner = funded(100)
    job = submitted(owner, 80)

    payments.refund([ended(job)])
    payments.hold([job])

    assert worth(owner) == [100]
    assert published("payment.held", job.job_id) == []


def test_a_refused_payment_stays_refused() -> None:
    owner, provider = funded(10), uuid4()
    job = submitted(owner, 80)
    payments.hold([job])

    payments.refund([ended(job)])
    payments.settle([completed(job, provider)])

    assert state_of(job.job_id) == PaymentState.REFUSED
    assert worth(owner, provider) == [10, 0]


def test_every_step_of_a_payment_is_recorded() -> None:
    job = submitted(funded(1_000_000), 1_000_000)
    payments.hold([job])
    payments.settle([completed(job, uuid4())])

    payment = Payment.objects.get(job_id=UUID(job.job_id))

    steps = PaymentEvent.objects.filter(subject_id=payment.pk).values_list("seq", "from_state", "to_state")
    assert list(steps) == [(0, "", "held"), (1, "held", "settled")]


def test_earnings_are_by_miner_and_time() -> None:
    owner, provider, miner = funded(3_000_000), uuid4(), uuid4()
    jobs = [submitted(owner, 1_000_000) for _ in range(3)]
    payments.hold(jobs)
    start = timezone.now()
    payments.settle([completed(job, provider, miner_id=str(miner)) for job in jobs[:2]])
    payments.settle([completed(jobs[2], provider)])

    everything, mine = earnings(provider, None, start, None), earnings(provider, miner, None, None)

    assert (everything.paid, everything.fee, everything.jobs) == (1_455_000, 45_000, 3)
    assert (mine.paid, mine.jobs, mine.by_miner) == (970_000, 2, {miner: 970_000})
    assert earnings(provider, None, None, start).jobs == 0


def test_a_hold_for_a_job_nobody_knows_is_given_back_in_the_end() -> None:
    owner = funded(100)
    job = submitted(owner, 80)
    payments.hold([job])
    early = payments.release_overdue()
    Payment.objects.filter(job_id=UUID(job.job_id)).update(due_at=timezone.now())

    late = payments.release_overdue()

    assert (early, late) == (0, 1)
    assert worth(owner) == [100]
    assert published("payment.refunded", job.job_id)[0]["refunded"] == 80
    assert UUID(job.job_id) not in open_holds(before=timezone.now())


def test_a_job_of_amount_nothing_needs_no_money() -> None:
    owner = funded(1)
    job = submitted(owner, 0, uuid7())

    payments.hold([job])
    payments.settle([completed(job, uuid4())])

    assert (state_of(job.job_id), worth(owner)) == (PaymentState.SETTLED, [1])
