"""I25 to I27, broken on purpose and reported."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from apps.trading.models import Block, LogEntry
from apps.trading.services import log
from tests.trading.factories import issued, logged
from tests.trading.inspection import broken, unguarded


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
