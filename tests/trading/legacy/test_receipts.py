"""Receipts as legacy clients read them: the list by offset, and format 1.0 with its own signature."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from aitbc.core import signing
from aitbc.core.ids import uuid7
from apps.trading import interface
from apps.trading.models import Receipt
from tests.trading.factories import issued

RECEIPT_LISTS = ("/trading/receipts", "/trading/v1/explorer/receipts")


@pytest.mark.parametrize("path", RECEIPT_LISTS)
def test_lists_of_receipts_serve_both_envelopes(api, chain, path):
    (mine,) = Receipt.objects.all()
    issued(11)

    page = api.json("GET", path, status=200)
    one = api.json("GET", f"{path}?job_id={mine.job_id}", status=200)

    assert page["receipts"] == page["items"] and len(page["items"]) == 10
    assert (page["limit"], page["total"], page["next_offset"], page["jobId"]) == (10, 12, 10, "all")
    assert [row["receiptId"] for row in one["items"]] == [str(mine.pk)] and one["job_id"] == str(mine.job_id)
    assert {"receiptId", "jobId", "miner", "coordinator", "issuedAt", "status", "payload"} <= set(one["items"][0])
    assert api.json("GET", f"{path}?job_id={uuid7()}")["total"] == 0
    assert api.json("GET", f"{path}?status=failed")["total"] == 0
    assert api.json("GET", f"{path}?status=completed")["total"] == 12


# --- format 1.0 ------------------------------------------------------------------------------------------------------


def verified_as_legacy_clients_do(receipt: dict) -> bool:
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


def test_the_legacy_format_verifies_as_legacy_clients_verify_and_after_a_trip_through_json(paid_job):
    job = paid_job()
    legacy = json.loads(json.dumps(interface.legacy_receipt_of(job)))

    assert verified_as_legacy_clients_do(legacy)
    assert not verified_as_legacy_clients_do({**legacy, "price": 0.6})
    assert legacy == interface.legacy_receipt_of(job)
    assert interface.legacy_receipt_of(uuid7()) is None


def test_the_legacy_format_has_its_fields_and_the_servers_amounts(paid_job):
    job = paid_job()
    legacy = interface.legacy_receipt_of(job)

    assert set(legacy) == {
        "version", "receipt_id", "job_id", "provider", "client", "status", "units", "unit_type", "unit_price", "price",
        "started_at", "completed_at", "metadata", "signature", "attestations",
    }  # fmt: skip
    assert (legacy["version"], len(legacy["receipt_id"]), legacy["unit_type"]) == ("1.0", 32, "gpu_seconds")
    assert (legacy["units"], legacy["price"], round(legacy["units"] * legacy["unit_price"], 6)) == (1800.0, 0.5, 0.5)
    assert datetime.fromtimestamp(legacy["completed_at"], UTC).isoformat() == "2026-01-01T00:30:00+00:00"
    assert legacy["signature"]["key_id"] == signing.published_keys()["keys"][0]["public_key"]
