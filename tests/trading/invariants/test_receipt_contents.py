"""I24b to I24d: false receipts, signed again with the real key so that only the comparison can find them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from aitbc.core import signing
from apps.gpu.models import Lease
from apps.trading.logic.commitments import input_hash, output_hash
from apps.trading.models import Payment, Receipt
from apps.trading.services import escrow_endings, escrows, log, payments, receipts
from tests.flows.exchange import Exchange
from tests.sabotage import sabotage
from tests.trading.factories import (
    HOUR,
    RENT,
    booking_closed,
    booking_metered,
    booking_requested,
    ended,
    funded,
    submitted,
)
from tests.trading.inspection import reported, unguarded


def doctored(receipt: Receipt, **changes: Any) -> None:
    """Change the body of a receipt and sign it again."""
    body = {**receipt.body, **changes}
    signature = signing.sign(receipts.tag_of(receipt), body)
    with unguarded():
        Receipt.objects.filter(pk=receipt.pk).update(body=body, signature=signature)


FALSE = {
    "price": "0.500001", "fee": "0.015001", "refunded": "0.500001", "metered_ms": HOUR // 2 + 4, "rate": "1.000002",
    "input_hash": "c" * 64, "output_hash": "c" * 64, "currency": "EUR",
}  # fmt: skip


@pytest.mark.parametrize("field", FALSE)
def test_a_false_receipt_of_a_job_is_reported(paid_job, field):
    receipt = Receipt.objects.for_job(paid_job()).get()
    sound = reported("I24b")

    doctored(receipt, **{field: FALSE[field]})

    assert sound == [] == reported("I24")
    assert reported("I24b") != []


def test_another_party_in_the_row_or_an_alias_of_another_is_reported(paid_job):
    mine, theirs = (Receipt.objects.for_job(paid_job()).get() for _ in range(2))
    doctored(mine, provider=theirs.body["provider"])
    aliased = reported("I24b")
    with unguarded():
        Receipt.objects.filter(pk=theirs.pk).update(miner_id=uuid4())

    assert aliased == [f"the alias {theirs.body['provider']} is on receipts of different owners"]
    assert f"receipt {theirs.pk} is of other parties than its payment" in reported("I24b")


def test_a_metered_part_has_a_receipt_that_cannot_be_false_or_missing(db):
    job = submitted(funded(1_000_000), 1_000_000)
    payments.hold([job])
    work = {"provider_id": str(uuid4()), "miner_id": str(uuid4()), "rate": 1_000_000, "billable_ms": HOUR // 10}
    payments.refund([ended(job, **work)])
    receipt = Receipt.objects.for_job(UUID(job.job_id)).get()
    sound = [*reported("I24"), *reported("I24b"), *reported("I17b")]

    doctored(receipt, price="0.000000", fee="0.000000")
    false = reported("I24b")
    with unguarded():
        Receipt.objects.filter(pk=receipt.pk).delete()

    assert sound == []
    assert false == [f"receipt {receipt.pk} states another price, fee than its payment"]
    assert reported("I24") == [f"job {job.job_id} is refunded without a receipt"]


@pytest.fixture
def slices(db) -> list[Receipt]:
    """The receipts of a booking: two slices, and what was left at its end."""
    booking = booking_requested(funded(RENT), funded(1))
    escrows.fund([booking])
    for seq, owed in ((1, 300_000), (2, 300_001)):
        escrows.accrue([booking_metered(booking, seq, owed)])
    escrow_endings.close([booking_closed(booking, owed=500_000, slices=3)])
    return list(Receipt.objects.of_bookings().order_by("slice"))


def test_every_slice_of_a_booking_has_a_receipt_of_what_it_moved(slices):
    stated = [tuple(receipt.body[name] for name in ("slice", "price", "fee", "total")) for receipt in slices]

    assert stated == [
        (1, "0.300000", "0.009000", "0.300000"),
        (2, "0.000001", "0.000000", "0.300001"),
        (3, "0.199999", "0.006000", "0.500000"),
    ]
    assert [*reported("I24"), *reported("I24b"), *reported("I17b")] == []


@pytest.mark.parametrize("change", [{"price": "0.200001"}, {"fee": "0.006001"}, {"total": "0.500001"}])
def test_a_false_receipt_of_a_slice_is_reported(slices, change):
    doctored(slices[2], **change)

    assert [*reported("I24"), *reported("I24b")] != []


def test_a_slice_without_its_receipt_is_reported(slices):
    with unguarded():
        slices[1].delete()

    assert any("has receipts of" in line for line in reported("I24"))


def test_a_receipt_of_a_job_without_its_opening_and_one_of_a_slice_with_one_are_reported(paid_job, slices):
    receipt = Receipt.objects.for_job(paid_job()).get()
    with unguarded():
        Receipt.objects.filter(pk=receipt.pk).update(opening=None)
        Receipt.objects.filter(pk=slices[0].pk).update(opening=receipt.opening)

    assert reported("I24b") == [
        f"receipt {receipt.pk} has no opening: its owner cannot prove what was read and written",
        f"receipt {slices[0].pk} is of a slice and has an opening",
    ]


# Against what the job and the lease were: after a job through the API.


@pytest.fixture
def settled(client_api, miner_api, operator_api, drain) -> Receipt:
    exchange = Exchange(client_api, miner_api, operator_api, drain)
    exchange.fund("10")
    exchange.register()
    job = exchange.submit("1")
    exchange.deliver(exchange.poll(), {"output": "x"})
    return Receipt.objects.for_job(UUID(job["id"])).get()


BY_JOB = {
    "outcome": "cancelled", "attempt": 2, "task_type": "inference", "model": "larger",
    "started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:00:00+00:00",
}  # fmt: skip


@pytest.mark.parametrize("field", BY_JOB)
def test_a_receipt_that_contradicts_its_job_is_reported(settled, field):
    sound = [*reported("I24c"), *reported("I24d")]

    doctored(settled, **{field: BY_JOB[field]})

    assert sound == [] == reported("I24b")
    assert reported("I24c") == [f"receipt {settled.pk} states another {field} than its job"]


def test_a_receipt_with_another_input_or_result_and_its_opening_is_reported(settled):
    opening = {**settled.opening, "payload_sha256": "c" * 64, "result_sha256": "d" * 64}
    with unguarded():
        Receipt.objects.filter(pk=settled.pk).update(opening=opening)
    doctored(settled, input_hash=input_hash(opening), output_hash=output_hash(opening))

    assert reported("I24b") == []
    assert reported("I24c") == [f"receipt {settled.pk} states another input_hash, output_hash than its job"]
    assert reported("I24d") == [f"receipt {settled.pk} states another output_hash than its lease"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("rate = rate + 1", "rate"),
        ("metered_ms = metered_ms + 1", "metered_ms"),
        ("result_sha256 = 'x'", "output_hash"),
    ],
)
def test_a_receipt_that_contradicts_its_lease_is_reported(settled, change, field):
    sabotage(Lease, f"UPDATE gpu_lease SET {change}")

    assert reported("I24d") == [f"receipt {settled.pk} states another {field} than its lease"]


def test_a_receipt_of_an_attempt_that_never_was_is_reported(settled):
    sabotage(Lease, "DELETE FROM gpu_lease")

    assert reported("I24d") == [f"receipt {settled.pk} is of attempt 1, which had no lease"]


# One row that nobody foresaw hides no other.

SURPRISING = ({}, [], {"attempt": 1, "outcome": "completed", "price": "much", "rate": [], "metered_ms": "1e400"})


@pytest.mark.parametrize("body", SURPRISING, ids=["empty", "list", "words"])
def test_a_surprising_receipt_hides_no_other(settled, paid_job, slices, body):
    surprising = Receipt.objects.for_job(paid_job()).get()
    log.seal()
    sabotage(Lease, "UPDATE gpu_lease SET rate = rate + 1")
    doctored(settled, price="9.000000")
    doctored(slices[2], price="9.000000")
    with unguarded():
        for pk, stated in ((surprising.pk, body), (slices[0].pk, body)):
            Receipt.objects.filter(pk=pk).update(body=stated)

    by_number = {name: "\n".join(reported(name)) for name in ("I24", "I24b", "I24c", "I24d", "I25")}

    assert all(str(surprising.pk) in lines for lines in by_number.values()), by_number
    assert all(str(slices[0].pk) in by_number[name] for name in ("I24", "I24b", "I25"))
    assert f"receipt {settled.pk} states another price than its payment" in by_number["I24b"]
    assert f"receipt {slices[2].pk} states another price than its transfers" in by_number["I24b"]
    assert f"receipt {settled.pk} states another rate than its lease" in by_number["I24d"]


# The payment itself.


@pytest.mark.parametrize("table", ["payment", "escrow"])
def test_a_wrong_fee_is_reported(paid_job, slices, table):
    paid_job()
    sound = reported("I17b")

    sabotage(Payment, f"UPDATE trading_{table} SET fee = fee + 1, paid = paid - 1")

    assert sound == []
    assert len(reported("I17b")) == 1


def test_a_payment_refunded_although_its_job_succeeded_is_reported(settled):
    sabotage(Payment, "UPDATE trading_payment SET state = 'refunded', refunded = amount, paid = 0, fee = 0")

    assert reported("I18") == [f"job {settled.job_id} is settled, its payment refunded"]
    assert f"receipt {settled.pk} is of a job that is not settled" in reported("I24")
