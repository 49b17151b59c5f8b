"""Receipts over HTTP: found by what they name, proven by their bundle, and silent about owners."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any
from uuid import uuid4

import orjson
import pytest
from django.test import Client

from apps.trading.models import Receipt
from apps.trading.services import escrows, log
from apps.trading.verifier import verify_receipt
from tests.flows.exchange import Exchange
from tests.sabotage import sabotage
from tests.trading.factories import RENT, booking_metered, booking_requested, funded, issued

BASE = "/trading/v1/receipts"
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


def settled(exchange: Exchange, result: object, **job: object) -> dict[str, Any]:
    """A job that is done and paid, and the block that seals its receipt; returns the receipt."""
    made = exchange.submit("1", **job)
    exchange.deliver(exchange.poll(), result)
    log.seal()
    return exchange.client.json("GET", f"/ai/jobs/{made['id']}/receipt", status=200)


@pytest.fixture
def exchange(client_api, miner_api, operator_api, drain) -> Exchange:
    found = Exchange(client_api, miner_api, operator_api, drain)
    found.fund("10")
    found.register()
    return found


def test_only_the_owner_gets_what_opens_the_hashes(exchange, api, other_client_api):
    payload, result = {"texts": ["yes"]}, {"output": "no"}
    receipt = settled(exchange, result, payload=payload)

    own = exchange.client.get(f"{BASE}/{receipt['receipt_id']}/bundle")
    others = [
        caller.get(f"{BASE}/{receipt['receipt_id']}/bundle") for caller in (api, other_client_api, exchange.miner)
    ]

    opening = own.json()["opening"]
    assert opening["payload_sha256"] == hashlib.sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).hexdigest()
    assert (opening["artifacts"], len(opening["salt"])) == ([], 64)
    lines = verify_receipt.check(verify_receipt.parse(own.content.decode()))
    assert any(line.startswith("opening: ") for line in lines)
    assert "private" in own["Cache-Control"] and "public" in others[0]["Cache-Control"]
    assert all(answer.status_code == 200 and "opening" not in answer.json() for answer in others)
    for answer in (*others, api.get(BASE), api.get(f"/trading/transactions/{receipt['tx_hash']}")):
        assert not any(value in answer.content.decode() for value in (opening["salt"], opening["payload_sha256"]))


def test_payload_and_artifact_are_both_bound_and_equal_inputs_look_different(exchange):
    artifact = exchange.client.json("POST", "/ai/artifacts", b"the same for all", status=201)["sha256"]
    jobs = [{"payload": {"n": n}, "input_sha256": artifact} for n in (1, 2, 2)]
    receipts = [settled(exchange, {"output": "same"}, **job) for job in jobs]

    bundles = [exchange.client.json("GET", f"{BASE}/{one['receipt_id']}/bundle", status=200) for one in receipts]

    assert all(bundle["opening"]["artifacts"] == [artifact] for bundle in bundles)
    assert len({bundle["opening"]["payload_sha256"] for bundle in bundles}) == 2
    assert len({bundle["receipt"][name] for bundle in bundles for name in ("input_hash", "output_hash")}) == 6
    assert len({bundle["opening"]["result_sha256"] for bundle in bundles}) == 1


def test_a_job_cancelled_after_its_start_has_a_receipt_of_the_metered_part(exchange, api):
    job = exchange.submit("1")
    exchange.poll()
    exchange.client.json("POST", f"/ai/jobs/{job['id']}/cancel", status=200)
    exchange.drain()
    log.seal()
    payment = exchange.client.json("GET", f"/ai/jobs/{job['id']}/payment", status=200)

    (row,) = api.json("GET", f"{BASE}?job={job['id']}", status=200)["items"]
    bundle = exchange.client.json("GET", f"{BASE}/{row['receipt_id']}/bundle", status=200)

    stated = row["payload"]
    assert (row["status"], stated["outcome"], stated["output_hash"]) == ("cancelled", "cancelled", "")
    assert Decimal(stated["price"]) == Decimal(payment["paid"]) + Decimal(payment["fee"]) > 0
    assert (stated["fee"], stated["refunded"]) == (payment["fee"], payment["refunded"])
    assert verify_receipt.check(bundle)
    assert exchange.client.json("GET", f"/ai/jobs/{job['id']}/receipt", status=200)["receipt"] == stated
    assert api.json("GET", f"/trading/receipts?job_id={job['id']}&status=completed")["total"] == 0


def test_a_slice_of_a_booking_has_a_receipt_and_a_bundle(api):
    booking = booking_requested(funded(RENT), funded(1))
    escrows.fund([booking])
    escrows.accrue([booking_metered(booking, 1, 300_000)])
    log.seal()

    (row,) = api.json("GET", BASE, status=200)["items"]
    checks = verify_receipt.check(api.json("GET", f"{BASE}/{row['receipt_id']}/bundle", status=200))

    assert (row["status"], row["job_id"], row["miner"]) == ("slice", None, None)
    assert row["payload"]["booking"] == booking.booking_id
    assert f"slice 1 of booking {booking.booking_id}" in checks[1]
    assert api.json("GET", "/trading/receipts")["total"] == 0
    assert api.json("GET", f"/trading/transactions/{row['tx_hash']}")["amount"] == "0.300000"


@pytest.mark.parametrize("body", ["[]", f"[{'9' * 400}]"])
def test_a_receipt_that_cannot_be_shown_is_named_in_the_answer(anonymous_api, chain, body):
    (receipt,) = Receipt.objects.all()
    sabotage(Receipt, f"UPDATE trading_receipt SET body = '{body}'")
    browser = Client(raise_request_exception=False)

    for path in (f"/trading/v1/receipts/{receipt.pk}", f"/trading/receipts/{receipt.pk}"):
        answer = browser.get(path)
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["id"]) == (500, "unreadable_row", str(receipt.pk))
        assert str(receipt.pk) in problem["detail"] and problem["request_id"]
    assert browser.get("/trading/v1/receipts").json()["items"] == []
