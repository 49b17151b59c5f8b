"""I25 to I27, broken on purpose and reported."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from aitbc.core import canonical, signing
from aitbc.core.db import cursor
from apps.trading.invariants.log import roots_follow_from_the_entries
from apps.trading.models import Block, LogEntry
from apps.trading.services import blocks, log
from tests.trading.factories import funded, issued, logged
from tests.trading.inspection import broken, reported, unguarded


def test_a_changed_entry_is_reported():
    logged(3)
    log.seal()
    with unguarded():
        LogEntry.objects.filter(idx=1).update(leaf=b"something else")

    assert broken() == {"I27"}


def test_a_missing_entry_is_reported():
    logged(3)
    log.seal()
    with unguarded():
        LogEntry.objects.filter(idx=2).delete()

    assert broken() == {"I27"}


def test_a_rewritten_block_is_reported():
    logged(3)
    log.seal()
    logged(3)
    log.seal()
    with unguarded():
        forged = Block.objects.get(height=0)
        forged.header["tree_root"] = "0" * 64
        Block.objects.filter(height=0).update(header=forged.header)

    assert broken() == {"I26", "I27"}


def test_a_block_that_vanished_is_reported():
    for _ in range(3):
        logged(1)
        log.seal()
    with unguarded():
        Block.objects.filter(height=1).delete()

    assert broken() == {"I27"}


def test_a_head_that_shrank_is_reported():
    for _ in range(2):
        logged(2)
        log.seal()
    with unguarded():
        Block.objects.filter(height=0).update(tree_size=9)

    assert broken() == {"I26", "I27"}


def test_an_entry_that_waits_too_long_is_reported():
    logged(1)
    with unguarded():
        LogEntry.objects.update(created_at=timezone.now() - timedelta(seconds=61))

    assert broken() == {"I25"}


def test_a_receipt_that_left_the_log_is_reported():
    issued()
    with unguarded():
        LogEntry.objects.all().delete()

    assert broken() == {"I25"}


def resealed(block: Block, **changes: Any) -> None:
    """Rewrite a block's columns and its header, hash, checkpoint and signature to match, as the key's owner could."""
    key = signing.current()
    header = block.header
    Block.objects.filter(pk=block.pk).update(
        header=header, hash=canonical.digest(header), signature=key.sign(blocks.TAG, header),
        checkpoint=blocks.note(header, key), **changes,
    )  # fmt: skip


def test_a_wrong_ledger_hash_in_a_signed_header_is_reported():
    logged(3)
    (block,) = log.seal()
    block.header["state"]["ledger_hash"] = "0" * 64
    with unguarded():
        resealed(block)

    assert list(roots_follow_from_the_entries()) == [
        "the ledger_hash of block 0 is not that of the totals shown with it"
    ]


def test_totals_that_are_out_of_balance_are_reported():
    funded(5)
    (block,) = log.seal()
    block.ledger["available"]["balance"] = "7.000000"
    block.header["state"]["ledger_hash"] = canonical.digest(block.ledger)
    with unguarded():
        resealed(block, ledger=block.ledger)

    assert list(roots_follow_from_the_entries()) == ["the totals shown with block 0 are out of balance"]


def test_blocks_of_one_tree_size_are_found_in_their_order():
    logged(1)
    first = [*log.seal(), *log.seal(heartbeat=True), *log.seal(heartbeat=True)][0]

    assert Block.objects.sealing(0) == first
    assert Block.objects.filter(tree_size=1).count() == 3


def test_a_surprising_block_hides_no_other():
    for _ in range(4):
        logged(1)
        log.seal()
    with unguarded(), cursor(Block) as sql:
        sql.execute("""UPDATE trading_block SET header = '[]' WHERE height = 0""")
        sql.execute("""UPDATE trading_block SET ledger = '{"x": {"balance": 1e400}}' WHERE height = 1""")
        sql.execute("""UPDATE trading_block SET header = jsonb_set(header, '{tree_root}', '"00"') WHERE height = 3""")
        sql.execute("""UPDATE trading_logentry SET leaf = 'x' WHERE idx IN (0, 2)""")

    linked, followed = reported("I26"), reported("I27")

    assert any(line.startswith("trading.Block 1 cannot be checked") for line in linked)
    assert "block 3 does not contain block 2" in linked
    assert any(line.startswith("trading.Block 0 cannot be checked") for line in followed)
    assert any(line.startswith("trading.Block 1 cannot be checked") for line in followed)
    assert {f"the entry at index {n} is missing or was changed" for n in (0, 2)} <= set(followed)
    assert "the hash of block 3 is not that of its header" in followed
    assert "the roots of block 3 do not follow from the entries" in followed
