"""I24 and I25, broken on purpose and reported."""

from __future__ import annotations

import pytest

from apps.trading.invariants.receipts import one_verifiable_receipt_per_settled_job
from apps.trading.models import Receipt
from tests.trading.factories import issued
from tests.trading.inspection import unguarded


def test_a_settled_job_without_a_receipt_is_reported(paid_job):
    job = paid_job()
    with unguarded():
        Receipt.objects.for_job(job).delete()

    assert list(one_verifiable_receipt_per_settled_job()) == [f"job {job} is settled without a receipt"]


def test_a_receipt_without_a_settled_job_is_reported():
    (receipt,) = issued()

    found = list(one_verifiable_receipt_per_settled_job())

    assert found == [f"receipt {receipt.pk} is of a job that is not settled"]


@pytest.mark.parametrize("field", ["body", "client_alias", "miner_alias"])
def test_a_changed_receipt_is_reported(paid_job, field):
    job = paid_job()
    receipt = Receipt.objects.for_job(job).get()
    changed = {"body": {**receipt.body, "price": "0.500001"}, "client_alias": "client_x", "miner_alias": "miner_x"}
    with unguarded():
        Receipt.objects.filter(pk=receipt.pk).update(**{field: changed[field]})

    assert len(list(one_verifiable_receipt_per_settled_job())) == 1
