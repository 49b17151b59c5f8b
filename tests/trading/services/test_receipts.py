"""Receipts: one per settled job, signed, logged, the same for ever; and as the predecessor's clients read them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connections

from aitbc.core import signing
from aitbc.core.db import atomic
from aitbc.core.ids import uuid7
from apps.trading import interface
from apps.trading.errors import NotSealed
from apps.trading.invariants.log import one_verifiable_receipt_per_settled_job
from apps.trading.models import LogEntry, Receipt
from apps.trading.services import log, payments, receipts
from tests.trading.factories import completed, funded, submitted
from tests.trading.sealed import issued, settlement, unguarded


def test_a_receipt_says_what_was_done_and_paid_and_names_owners_by_alias():
    settled = settlement()
    (receipt,) = receipts.issue([settled])

    body = receipt.body
    owners = (str(settled.owner_id), str(settled.provider_id))

    assert {name: body[name] for name in ("rate", "price", "fee", "refunded", "metered_ms", "currency")} == {
        "rate": "1.000000", "price": "0.500000", "fee": "0.015000", "refunded": "0.200000",
        "metered_ms": 1_800_000, "currency": "AIT",
    }  # fmt: skip
    assert (body["receipt_id"], body["job"]) == (str(receipt.pk), str(settled.job_id))
    assert body["miner"] == str(settled.miner_id)
    assert (body["input_hash"], body["output_hash"], body["attempt"]) == ("a" * 64, "b" * 64, 1)
    assert not any(owner in json.dumps(body) for owner in owners)
    assert body["client"] == receipts.alias("client", settled.owner_id) != receipts.alias("provider", settled.owner_id)
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
        receipts.bundle(receipt)
    log.seal()
    first = receipts.bundle(receipt)
    issued(300)
    log.seal()

    assert receipts.bundle(receipt) == first


def test_a_settled_job_without_a_receipt_is_reported(paid_job):
    job = paid_job()
    with unguarded():
        Receipt.objects.for_job(job).delete()

    assert list(one_verifiable_receipt_per_settled_job()) == [f"job {job} is settled without a receipt"]


def test_a_receipt_without_a_settled_job_is_reported():
    (receipt,) = issued()

    found = list(one_verifiable_receipt_per_settled_job())

    assert found == [f"receipt {receipt.pk} is of a job that is not settled"]


@pytest.mark.parametrize("field", ["body", "client_alias", "miner_id"])
def test_a_changed_receipt_is_reported(paid_job, field):
    job = paid_job()
    receipt = Receipt.objects.for_job(job).get()
    changed = {"body": {**receipt.body, "price": "0.500001"}, "client_alias": "client_x", "miner_id": uuid7()}
    with unguarded():
        Receipt.objects.filter(pk=receipt.pk).update(**{field: changed[field]})

    assert len(list(one_verifiable_receipt_per_settled_job())) == 1


# --- the predecessor's format ----------------------------------------------------------------------------------------


def verified_as_old_clients_do(receipt: dict) -> bool:
    """Without signature, attestations and nulls; sorted compact ASCII JSON; the key is the one in the receipt."""

    def pruned(value):
        if isinstance(value, dict):
            return {k: pruned(v) for k, v in value.items() if v is not None}
        return [pruned(v) for v in value if v is not None] if isinstance(value, list) else value

    signed = pruned({k: v for k, v in receipt.items() if k not in ("signature", "attestations")})
    data = json.dumps(signed, sort_keys=True, separators=(",", ":")).encode()
    signature = receipt["signature"]
    key = base64.urlsafe_b64decode(signature["key_id"] + "=" * (-len(signature["key_id"]) % 4))
    sig = base64.urlsafe_b64decode(signature["sig"] + "=" * (-len(signature["sig"]) % 4))
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(sig, data)
    except InvalidSignature:
        return False
    return True


def test_the_old_format_verifies_as_old_clients_verify_and_after_a_trip_through_json(paid_job):
    job = paid_job()
    old = json.loads(json.dumps(interface.old_receipt_of(job)))

    assert verified_as_old_clients_do(old)
    assert not verified_as_old_clients_do({**old, "price": 0.6})
    assert old == interface.old_receipt_of(job)
    assert interface.old_receipt_of(uuid7()) is None


def test_the_old_format_has_the_old_fields_and_the_servers_figures(paid_job):
    job = paid_job()
    old = interface.old_receipt_of(job)

    assert set(old) == {
        "version", "receipt_id", "job_id", "provider", "client", "status", "units", "unit_type", "unit_price", "price",
        "started_at", "completed_at", "metadata", "signature", "attestations",
    }  # fmt: skip
    assert (old["version"], len(old["receipt_id"]), old["unit_type"]) == ("1.0", 32, "gpu_seconds")
    assert (old["units"], old["price"], round(old["units"] * old["unit_price"], 6)) == (1800.0, 0.5, 0.5)
    assert datetime.fromtimestamp(old["completed_at"], UTC).isoformat() == "2026-01-01T00:30:00+00:00"
    assert old["signature"]["key_id"] == signing.published_keys()["keys"][0]["public_key"]


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
