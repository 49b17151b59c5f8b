"""The explorer's doors: both families of clients find their fields, wrong questions are told what is wrong."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from aitbc.core import signing
from aitbc.core.ids import uuid7
from apps.trading.logic import merkle
from apps.trading.models import Block, LogEntry, Receipt
from apps.trading.services import log
from apps.trading.verifier import verify_receipt
from tests.trading.sealed import issued, logged

BLOCK_LISTS = ("/trading/blocks", "/trading/v1/explorer/blocks", "/trading/api/v1/blocks")
RECEIPT_LISTS = ("/trading/receipts", "/trading/v1/explorer/receipts")
UNSEALED = "f" * 64


@pytest.fixture
def api(anonymous_api):
    """Anybody, no key."""
    return anonymous_api


@pytest.fixture
def chain(db) -> list[Block]:
    """Three blocks of 2, 3 and 4 entries; the second holds a receipt."""
    sealed = []
    for count, receipts in ((2, 0), (2, 1), (4, 0)):
        logged(count)
        issued(receipts)
        sealed += log.seal()
    return sealed


@pytest.mark.parametrize("path", BLOCK_LISTS)
def test_lists_of_blocks_serve_both_envelopes(api, chain, path):
    page = api.json("GET", f"{path}?limit=2", status=200)
    rest = api.json("GET", f"{path}?limit=2&offset={page['next_offset']}", status=200)

    assert page["blocks"] == page["items"]
    assert [row["height"] for row in page["blocks"] + rest["blocks"]] == [2, 1, 0]
    assert (page["limit"], page["total"], page["next_offset"], rest["next_offset"]) == (2, 3, 2, None)
    assert page["chain_id"] == chain[0].header["chain"]
    assert {"height", "hash", "timestamp", "txCount", "proposer"} <= set(page["items"][0])
    assert api.json("GET", f"{path}?chain_id=ait-devnet")["total"] == 3
    assert api.json("GET", f"{path}?chain_id=another")["blocks"] == []
    assert api.json("GET", f"{path}?offset=99")["items"] == []


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


def test_no_door_shows_who_the_owners_are(api, chain):
    (receipt,) = Receipt.objects.all()
    one = f"/trading/receipts/{receipt.pk}"
    lists = [*RECEIPT_LISTS, "/trading/v1/receipts", "/trading/v1/blocks/1/entries"]

    for path in [*lists, one, f"{one}/bundle", f"/trading/transactions/{receipt.leaf}"]:
        text = api.get(path).content.decode()
        assert receipt.body["client"] in text
        assert str(receipt.owner_id) not in text and str(receipt.provider_id) not in text


@pytest.mark.parametrize("prefix", ["/trading/blocks/", "/trading/v1/blocks/"])
def test_a_block_is_found_by_height_hash_and_latest(api, chain, prefix):
    names = ("2", chain[2].hash, chain[2].hash.upper(), "latest")
    answers = [api.json("GET", prefix + name, status=200) for name in names]

    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["header"] == chain[2].header and answers[0]["header"]["prev"] == chain[1].hash
    assert api.json("GET", prefix + "3", status=404)["code"] == "not_found"
    assert api.json("GET", prefix + "9" * 15, status=404)["code"] == "not_found"
    assert api.json("GET", prefix + UNSEALED, status=404)["error"] == "not_found"
    for name in ("nonsense", "-1", "0" * 63, "%00", "1.0", "9" * 30):
        assert api.json("GET", prefix + name, status=400)["code"] == "invalid"


def test_blocks_by_cursor_and_before(api, chain):
    first = api.json("GET", "/trading/v1/blocks?limit=2", status=200)
    second = api.json("GET", f"/trading/v1/blocks?limit=2&cursor={first['next']}", status=200)
    before = api.json("GET", "/trading/v1/blocks?before=1", status=200)

    assert [row["height"] for row in first["items"] + second["items"]] == [2, 1, 0]
    assert second["next"] is None
    assert [row["height"] for row in before["items"]] == [0]


def test_entries_of_a_block_hash_to_what_they_are_called(api, chain):
    page = api.json("GET", "/trading/v1/blocks/1/entries", status=200)

    assert [row["index"] for row in page["items"]] == [2, 3, 4]
    assert [log.leaf_hash(row["kind"], row["body"]) for row in page["items"]] == [row["hash"] for row in page["items"]]


def test_receipts_by_miner_client_job_and_time(api, chain):
    (receipt,) = Receipt.objects.all()
    issued(2)
    base = "/trading/v1/receipts"

    for query in (f"miner={receipt.miner_id}", f"job={receipt.job_id}", f"client={receipt.client_alias}"):
        assert [row["receipt_id"] for row in api.json("GET", f"{base}?{query}")["items"]] == [str(receipt.pk)]
    assert len(api.json("GET", f"{base}?from=2026-01-01T00:00:00Z")["items"]) == 3
    assert api.json("GET", f"{base}?from=2999-01-01T00:00:00Z")["items"] == []
    assert api.json("GET", f"{base}/{receipt.pk}", status=200)["payload"] == receipt.body
    assert api.json("GET", f"{base}/{uuid4()}", status=404)["code"] == "not_found"


@pytest.mark.parametrize("path", [f"/trading/{mount}transactions/" for mount in ("", "explorer/", "v1/")])
def test_a_transaction_moves_from_submitted_to_sealed(api, chain, path):
    (waiting,) = logged(1)
    before = api.json("GET", path + waiting, status=200)
    log.seal()
    after = api.json("GET", path + waiting.upper(), status=200)
    log.seal(heartbeat=True)
    later = api.json("GET", f"{path}{waiting}?chain_id=ait-devnet", status=200)

    assert (before["status"], before["block"], before["confirmations"]) == ("submitted", None, 0)
    assert (after["status"], after["block"], after["confirmations"], after["index"]) == ("sealed", 3, 1, 9)
    assert (later["confirmations"], later["tx_hash"]) == (2, waiting)
    assert api.json("GET", path + UNSEALED, status=404)["code"] == "not_found"
    assert api.json("GET", path + "0x" + "a" * 62, status=400)["code"] == "hash_invalid"
    assert api.json("GET", path + "abc", status=400)["error"] == "hash_invalid"


def test_a_receipts_transaction_shows_who_paid_whom(api, chain):
    (receipt,) = Receipt.objects.all()
    shown = api.json("GET", f"/trading/transactions/{receipt.leaf}", status=200)

    assert (shown["from"], shown["to"]) == (receipt.body["client"], receipt.body["provider"])
    assert (shown["amount"], shown["fee"], shown["kind"]) == ("0.500000", "0.015000", "receipt.job")


def test_a_served_bundle_verifies_offline(api, chain):
    (receipt,) = Receipt.objects.all()
    answer = api.get(f"/trading/receipts/{receipt.pk}/bundle")
    keys = api.json("GET", "/.well-known/aitbc-keys.json", status=200)

    checks = verify_receipt.check(verify_receipt.parse(answer.content.decode()), keys)

    assert len(checks) == 8
    assert "immutable" in answer["Cache-Control"]
    assert api.json("GET", f"/trading/receipts/{uuid4()}/bundle", status=404)["code"] == "not_found"


def test_a_bundle_that_is_not_sealed_is_409_with_a_time(api):
    (receipt,) = issued()

    answer = api.get(f"/trading/receipts/{receipt.pk}/bundle")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_sealed")
    assert int(answer["Retry-After"]) >= 10
    assert answer.json()["eta_seconds"] == 10


def test_the_checkpoint_is_plain_text(api, chain):
    answer = api.get("/trading/v1/log/checkpoint")

    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content.decode() == chain[2].checkpoint


def test_there_is_no_checkpoint_before_the_first_block(api):
    assert api.json("GET", "/trading/v1/log/checkpoint", status=404)["code"] == "not_found"
    assert api.json("GET", "/trading/blocks/latest", status=404)["code"] == "not_found"
    assert api.json("GET", "/trading/blocks", status=200)["total"] == 0
    assert api.json("GET", "/trading/v1/stats", status=200)["entries"] == 0


def test_served_proofs_verify(api, chain):
    entry = LogEntry.objects.get(idx=3)
    root = {block.tree_size: bytes.fromhex(block.header["tree_root"]) for block in chain}

    for query, size in ((f"hash={entry.leaf_hash}", 9), (f"hash={entry.leaf_hash}&size=5", 5), ("index=3&size=5", 5)):
        proof = api.json("GET", f"/trading/v1/log/proof/inclusion?{query}", status=200)
        path = [bytes.fromhex(step) for step in proof["proof"]]
        assert merkle.verify_inclusion(proof["index"], size, bytes.fromhex(entry.leaf_hash), path, root[size])
    for query, sizes in (("first=2", (2, 9)), ("first=2&second=5", (2, 5)), ("first=5&second=5", (5, 5))):
        proof = api.json("GET", f"/trading/v1/log/proof/consistency?{query}", status=200)
        path = [bytes.fromhex(step) for step in proof["proof"]]
        assert merkle.verify_consistency(*sizes, path, root[sizes[0]], root[sizes[1]])
    assert api.json("GET", "/trading/v1/log/proof/consistency?first=0", status=200)["proof"] == []


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("inclusion?hash=abc", 400, "invalid"), ("inclusion", 400, "invalid"), ("inclusion?index=x", 400, "invalid"),
        ("inclusion?index=1&size=10", 400, "size_invalid"), ("inclusion?index=5&size=5", 400, "size_invalid"),
        ("inclusion?index=9", 400, "size_invalid"), ("inclusion?index=0&size=0", 400, "invalid"),
        ("inclusion?index=-1", 400, "invalid"), ("inclusion?index=%00", 400, "invalid"),
        (f"inclusion?hash={UNSEALED}", 404, "not_found"), (f"inclusion?hash={UNSEALED}&index=1", 400, "invalid"),
        ("inclusion?index=1&size=99999999999999999999", 400, "invalid"),
        ("inclusion?index=1&nonsense=1", 400, "invalid"),
        ("consistency", 400, "invalid"), ("consistency?first=10", 400, "size_invalid"),
        ("consistency?first=1&second=10", 400, "size_invalid"), ("consistency?first=5&second=2", 400, "size_invalid"),
    ],
)  # fmt: skip
def test_questions_that_have_no_proof(api, chain, query, status, code):
    answer = api.json("GET", f"/trading/v1/log/proof/{query}", status=status)

    assert answer["code"] == code
    assert code != "size_invalid" or answer["current"] == 9


def test_a_proof_for_what_waits_is_409(api, chain):
    (waiting,) = logged(1)

    assert api.json("GET", f"/trading/v1/log/proof/inclusion?hash={waiting}", status=409)["code"] == "not_sealed"


def test_the_logs_key_is_that_of_its_blocks(api, chain):
    answer = api.json("GET", "/trading/v1/log/publicKey", status=200)

    assert answer["origin"] == chain[0].header["chain"]
    assert chain[0].signature["key_id"] in {key["key_id"] for key in answer["keys"]}
    assert len(answer["verifiers"]) == len(answer["keys"])
    assert all(text.startswith(f"{answer['origin']}+") for text in answer["verifiers"])


def test_a_bundle_can_be_checked_here_too(api, chain):
    (receipt,) = Receipt.objects.all()
    bundle = api.json("GET", f"/trading/receipts/{receipt.pk}/bundle")
    url = "/trading/v1/log/verify"

    good = api.json("POST", url, bundle, status=200)
    bad = api.json("POST", url, {**bundle, "index": 0}, status=200)

    assert good["valid"] is True and len(good["checks"]) == 8
    assert bad["valid"] is False and "older than the block" in bad["reason"]
    for junk in ({}, [], "x", {**bundle, "keys": [{}]}, {**bundle, "inclusion": [1.5]}):
        assert api.json("POST", url, junk, status=200)["valid"] is False
    assert api.json("POST", url, b"{", status=400)["code"] == "body_invalid"


def test_stats_count_entries_blocks_and_what_waits(api, chain):
    logged(2)
    stats = api.json("GET", "/trading/v1/stats", status=200)

    assert (stats["entries"], stats["blocks"], stats["waiting"]) == (9, 3, 2)
    assert stats["sealed_at"] == chain[2].header["time"]


@pytest.mark.parametrize("path", [*BLOCK_LISTS, *RECEIPT_LISTS, "/trading/v1/blocks", "/trading/v1/receipts"])
@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=%00", "limit=-1"])
def test_page_sizes_are_never_cut_silently(api, path, query):
    assert api.json("GET", f"{path}?{query}", status=400)["code"] in ("invalid", "limit_invalid")


@pytest.mark.parametrize(
    "path",
    [
        "/trading/blocks?offset=-1", "/trading/blocks?offset=x",
        "/trading/receipts?job_id=abc", "/trading/v1/receipts?job=1",
        "/trading/v1/blocks?before=x", "/trading/v1/blocks?before=-1", "/trading/v1/receipts?from=yesterday",
        "/trading/v1/receipts?nonsense=1", "/trading/receipts?job_id=%00", "/trading/v1/blocks?cursor=abc",
    ],
)  # fmt: skip
def test_wrong_filters_are_400(api, path):
    answer = api.json("GET", path, status=400)

    assert answer["detail"] and answer["error"]


def test_writing_is_405(api, chain):
    for path in ("/trading/blocks", "/trading/receipts", "/trading/blocks/0", "/trading/v1/log/checkpoint"):
        assert api.post(path, {}).status_code == 405


def test_old_and_new_keys_are_published(api, settings, tmp_path):
    settings.KEYS_DIR = tmp_path / "keys"
    old, new = signing.rotate()

    published = api.json("GET", "/.well-known/aitbc-keys.json", status=200)

    assert [key["key_id"] for key in published["keys"]] == [old.key_id, new.key_id]
    assert set(verify_receipt.keys_of(json.loads(json.dumps(published["keys"])))) == {old.key_id, new.key_id}
