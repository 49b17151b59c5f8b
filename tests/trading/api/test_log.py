"""The log over HTTP: checkpoint, proofs, keys, size, and the check of a bundle."""

from __future__ import annotations

import json

import pytest

from aitbc.core import signing
from apps.trading.logic import merkle
from apps.trading.models import LogEntry, Receipt
from apps.trading.verifier import verify_receipt
from tests.trading.factories import logged

UNSEALED = "f" * 64


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


def test_previous_and_current_keys_are_published(api, settings, tmp_path):
    settings.KEYS_DIR = tmp_path / "keys"
    previous_key, current_key = signing.rotate()

    published = api.json("GET", "/.well-known/aitbc-keys.json", status=200)

    assert [key["key_id"] for key in published["keys"]] == [previous_key.key_id, current_key.key_id]
    assert set(verify_receipt.keys_of(json.loads(json.dumps(published["keys"])))) == {
        previous_key.key_id,
        current_key.key_id,
    }
