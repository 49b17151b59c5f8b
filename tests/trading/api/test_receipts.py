"""Receipts over HTTP: found by what they name, proven by their bundle, and silent about owners."""

from __future__ import annotations

from uuid import uuid4

from apps.trading.models import Receipt
from apps.trading.verifier import verify_receipt
from tests.trading.factories import issued

RECEIPT_LISTS = ("/trading/receipts", "/trading/v1/explorer/receipts")


def test_no_route_shows_who_the_owners_are(api, chain):
    (receipt,) = Receipt.objects.all()
    one = f"/trading/receipts/{receipt.pk}"
    lists = [*RECEIPT_LISTS, "/trading/v1/receipts", "/trading/v1/blocks/1/entries"]

    for path in [*lists, one, f"{one}/bundle", f"/trading/transactions/{receipt.leaf}"]:
        text = api.get(path).content.decode()
        assert receipt.body["client"] in text
        assert str(receipt.owner_id) not in text and str(receipt.provider_id) not in text


def test_receipts_by_miner_client_job_and_time(api, chain):
    (receipt,) = Receipt.objects.all()
    issued(2)
    base = "/trading/v1/receipts"

    for query in (f"miner={receipt.miner_alias}", f"job={receipt.job_id}", f"client={receipt.client_alias}"):
        assert [row["receipt_id"] for row in api.json("GET", f"{base}?{query}")["items"]] == [str(receipt.pk)]
    assert len(api.json("GET", f"{base}?from=2026-01-01T00:00:00Z")["items"]) == 3
    assert api.json("GET", f"{base}?from=2999-01-01T00:00:00Z")["items"] == []
    assert api.json("GET", f"{base}/{receipt.pk}", status=200)["payload"] == receipt.body
    assert api.json("GET", f"{base}/{uuid4()}", status=404)["code"] == "not_found"


def test_a_bundle_that_is_not_sealed_is_409_with_a_time(api):
    (receipt,) = issued()

    answer = api.get(f"/trading/receipts/{receipt.pk}/bundle")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_sealed")
    assert int(answer["Retry-After"]) >= 10
    assert answer.json()["eta_seconds"] == 10


def test_a_served_bundle_verifies_offline(api, chain):
    (receipt,) = Receipt.objects.all()
    answer = api.get(f"/trading/receipts/{receipt.pk}/bundle")
    keys = api.json("GET", "/.well-known/aitbc-keys.json", status=200)

    checks = verify_receipt.check(verify_receipt.parse(answer.content.decode()), keys)

    assert len(checks) == 8
    assert "immutable" in answer["Cache-Control"]
    assert api.json("GET", f"/trading/receipts/{uuid4()}/bundle", status=404)["code"] == "not_found"
