"""Blocks: one signed chain, announced, never signed over a damaged history."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from aitbc.core import canonical, messaging, signing
from apps.trading.errors import LogDamaged
from apps.trading.events import BlockSealed
from apps.trading.logic import merkle
from apps.trading.models import Block, LogEntry, Outbox
from apps.trading.services import blocks, log
from tests.trading.factories import logged
from tests.trading.inspection import broken, leaf_hashes, places, unguarded


def test_blocks_seal_all_entries_in_order_and_name_each_other():
    sealed = []
    for count in (3, 1, 300):
        logged(count)
        sealed += log.seal()

    assert [(b.height, b.first, b.count, b.tree_size) for b in sealed] == [(0, 0, 3, 3), (1, 3, 1, 4), (2, 4, 300, 304)]
    assert [b.header["prev"] for b in sealed] == [blocks.GENESIS, sealed[0].hash, sealed[1].hash]
    assert all(canonical.digest(b.header) == b.hash for b in sealed)
    assert all(signing.verify(blocks.TAG, b.header, b.signature) for b in sealed)
    assert all(canonical.digest(b.ledger) == b.header["state"]["ledger_hash"] for b in sealed)
    assert places() == list(range(304))
    assert sealed[2].header["tree_root"] == merkle.root(leaf_hashes()).hex()
    assert sealed[2].header["batch_root"] == merkle.root(leaf_hashes()[4:]).hex()
    assert log.seal() == []
    assert broken() == set()


def test_a_heartbeat_block_says_the_same_again():
    logged(2)
    (first,) = log.seal()
    (second,) = log.seal(heartbeat=True)

    assert (second.count, second.tree_size) == (0, 2)
    assert second.header["tree_root"] == first.header["tree_root"]
    assert second.header["batch_root"] == merkle.EMPTY.hex()
    assert second.checkpoint == first.checkpoint
    assert broken() == set()


def test_a_long_queue_becomes_several_blocks(monkeypatch):
    monkeypatch.setattr(log, "BLOCK_ENTRIES", 100)
    logged(250)

    assert [block.count for block in log.seal()] == [100, 100, 50]
    assert broken() == set()


def test_a_sealed_block_is_announced(monkeypatch):
    monkeypatch.setitem(messaging.HANDLERS, (BlockSealed.NAME, "monitoring"), lambda events: None)
    logged(1)
    (block,) = log.seal()

    assert Outbox.objects.get().payload == {"height": "0", "block_hash": block.hash, "tree_size": 1}


def test_the_checkpoint_is_a_signed_note_of_c2sp():
    logged(5)
    (block,) = log.seal()

    origin, size, root, empty, signature, rest = block.checkpoint.split("\n")
    mark, name, data = signature.split(" ")
    raw, key = base64.b64decode(data), signing.current()
    Ed25519PublicKey.from_public_bytes(key.public).verify(raw[4:], f"{origin}\n{size}\n{root}\n".encode())

    assert (size, base64.b64decode(root).hex(), empty, rest) == ("5", block.header["tree_root"], "", "")
    assert (mark, name, raw[:4]) == ("—", origin, blocks.note_key_hash(origin, key.public))
    assert origin == block.header["chain"] == blocks.origin()


def test_a_new_key_is_announced_in_the_log_by_both(settings, tmp_path):
    settings.KEYS_DIR = tmp_path / "keys"
    logged(1)
    log.seal()
    previous_key, current_key = signing.rotate()
    logged(1)
    (block,) = log.seal()

    entry = LogEntry.objects.get(kind="key.rotate")
    body = json.loads(bytes(entry.leaf))["body"]
    signed_body = {"from": body["from"], "to": body["to"]}

    assert (block.count, block.signature["key_id"]) == (2, current_key.key_id)
    assert [s["key_id"] for s in body["signatures"]] == [previous_key.key_id, current_key.key_id]
    assert all(signing.verify(blocks.KEY_TAG, signed_body, signature) for signature in body["signatures"])
    assert broken() == set()


def test_nothing_is_signed_over_a_damaged_history():
    logged(3)
    log.seal()
    logged(1)
    with unguarded():
        LogEntry.objects.filter(idx=1).update(leaf_hash="0" * 64)

    with pytest.raises(LogDamaged):
        log.seal()

    assert Block.objects.count() == 1


def test_nothing_is_signed_over_an_entry_whose_bytes_changed_before_it_was_sealed():
    logged(3)
    with unguarded():
        LogEntry.objects.filter(kind="anchor").update(leaf=b"{}")

    with pytest.raises(LogDamaged):
        log.seal()
