"""Receipts: one per settled job, signed, logged, the same for ever."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from django.db import connections

from aitbc.core import signing
from aitbc.core.aliases import alias
from aitbc.core.db import atomic
from aitbc.core.ids import uuid7
from apps.trading import interface
from apps.trading.errors import NotSealed
from apps.trading.invariants.receipts import one_verifiable_receipt_per_settled_job
from apps.trading.models import LogEntry, Receipt
from apps.trading.selectors.receipts import bundle
from apps.trading.services import log, payments, receipts
from tests.trading.factories import completed, funded, issued, settlement, submitted


def test_a_receipt_says_what_was_done_and_paid_and_names_owners_by_alias():
    settled = settlement()
    (receipt,) = receipts.issue([settled])

    body = receipt.body
    owners = (str(settled.owner_id), str(settled.provider_id), str(settled.miner_id))

    assert {name: body[name] for name in ("rate", "price", "fee", "refunded", "metered_ms", "currency")} == {
        "rate": "1.000000", "price": "0.500000", "fee": "0.015000", "refunded": "0.200000",
        "metered_ms": 1_800_000, "currency": "AIT",
    }  # fmt: skip
    assert (body["receipt_id"], body["job"]) == (str(receipt.pk), str(settled.job_id))
    assert body["miner"] == alias("miner", settled.miner_id)
    assert (body["outcome"], body["attempt"]) == ("completed", 1)
    assert not any(identity in json.dumps(body) for identity in owners)
    assert body["client"] == alias("client", settled.owner_id) != alias("provider", settled.owner_id)
    assert signing.verify(receipts.TAG, body, receipt.signature)
    assert LogEntry.objects.get(leaf_hash=receipt.leaf).kind == "receipt.job"


def test_a_job_has_one_receipt_however_often_it_is_issued():
    settled = settlement()
    first = receipts.issue([settled])
    again = receipts.issue([settled, settlement()])

    assert (len(first), len(again)) == (1, 1)
    assert Receipt.objects.for_job(settled.job_id).get() == first[0]
    assert LogEntry.objects.count() == 2


def test_a_receipt_goes_with_the_settlement_that_made_it():
    with pytest.raises(RuntimeError), atomic(Receipt):
        receipts.issue([settlement()])
        raise RuntimeError

    assert not Receipt.objects.exists() and not LogEntry.objects.exists()


def test_paid_and_unpaid_jobs_end_with_a_receipt(paid_job):
    job = paid_job()
    free = completed(None, uuid4())
    payments.settle([free])

    assert interface.receipt_of(job).receipt["price"] == "0.500000"
    assert interface.receipt_of(free.job_id).receipt["price"] == "0.000000"
    assert interface.receipt_of(uuid7()) is None
    assert list(one_verifiable_receipt_per_settled_job()) == []


def test_a_bundle_waits_for_its_block_and_never_changes_after():
    (receipt,) = issued()
    with pytest.raises(NotSealed):
        bundle(receipt)
    log.seal()
    first = bundle(receipt)
    issued(300)
    log.seal()

    assert bundle(receipt) == first


def test_a_batch_of_settlements_makes_its_receipts_at_once(django_assert_max_num_queries):
    settlements = [settlement() for _ in range(50)]

    with django_assert_max_num_queries(8, connection=connections["trading"]):
        receipts.issue(settlements)

    assert Receipt.objects.count() == 50


def test_holding_and_settling_leaves_every_transfer_and_receipt_in_the_log():
    job = submitted(funded(1_000_000), 1_000_000)
    payments.hold([job])
    payments.settle([completed(job, uuid4())])

    assert sorted(LogEntry.objects.values_list("kind", flat=True)) == ["receipt.job", *["tx.transfer"] * 5]
