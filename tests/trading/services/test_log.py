"""The log: entries get places without gaps, are sealed when due, and are never rewritten."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections
from django.utils import timezone

from aitbc.core.db import atomic, cursor
from apps.trading.logic import merkle
from apps.trading.models import Block, LogEntry, Receipt
from apps.trading.selectors import proofs
from apps.trading.services import log
from apps.trading.services.merkle_store import WIDTH
from tests.trading.factories import issued, logged
from tests.trading.inspection import broken, places, unguarded


def test_an_entry_is_canonical_json_named_by_its_leaf_hash():
    (name,) = log.append("anchor", [{"b": 1, "a": "é"}])

    entry = LogEntry.objects.get()

    assert bytes(entry.leaf) == '{"body":{"a":"é","b":1},"kind":"anchor","v":1}'.encode()
    assert entry.leaf_hash == name == merkle.leaf_hash(bytes(entry.leaf)).hex()
    assert name == log.leaf_hash("anchor", {"a": "é", "b": 1})
    assert entry.idx is None


def test_an_entry_goes_with_the_transaction_that_made_it():
    with pytest.raises(RuntimeError), atomic(LogEntry):
        logged(2)
        raise RuntimeError

    assert not LogEntry.objects.exists()


def test_the_same_fact_is_not_logged_twice():
    log.append("anchor", [{"a": 1}])

    with pytest.raises(IntegrityError), atomic(LogEntry):
        log.append("anchor", [{"a": 1}])


@pytest.mark.transaction
def test_threads_that_seal_at_once_leave_one_chain_without_gaps():
    def work() -> None:
        try:
            for _ in range(6):
                logged(7)
                log.seal()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.seal()

    assert places() == list(range(6 * 6 * 7))
    assert [block.height for block in Block.objects.order_by("height")] == list(range(Block.objects.count()))
    assert broken() == set()


@pytest.mark.transaction
def test_an_entry_that_commits_late_comes_later_and_leaves_no_gap():
    ready, go = threading.Event(), threading.Event()

    def slow() -> None:
        try:
            with atomic(LogEntry):
                logged(1)
                ready.set()
                go.wait(10)
        finally:
            connections.close_all()

    thread = threading.Thread(target=slow)
    thread.start()
    ready.wait(10)
    logged(2)
    log.seal()
    early = places()
    go.set()
    thread.join()
    log.seal()

    assert (early, places()) == ([0, 1], [0, 1, 2])
    assert broken() == set()


def test_sealing_is_due_by_age_number_or_silence():
    (first,) = log.seal_if_due()  # a log begins with a signed head
    logged(2)
    assert log.seal_if_due() == []
    with unguarded():
        LogEntry.objects.update(created_at=timezone.now() - timedelta(seconds=11))
    (aged,) = log.seal_if_due()
    logged(255)
    assert log.seal_if_due() == []
    logged(1)
    (many,) = log.seal_if_due()
    with unguarded():
        Block.objects.update(sealed_at=timezone.now() - timedelta(minutes=11))
    (beat,) = log.seal_if_due()

    assert [block.count for block in (first, aged, many, beat)] == [0, 2, 256, 0]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trading_logentry SET idx = idx + 1 WHERE idx IS NOT NULL", "UPDATE trading_logentry SET idx = NULL",
        "UPDATE trading_logentry SET kind = 'x'", "UPDATE trading_logentry SET leaf = 'x', idx = 99 WHERE idx IS NULL",
        "DELETE FROM trading_logentry", "UPDATE trading_block SET count = 9", "DELETE FROM trading_block",
        "UPDATE trading_receipt SET body = '{}'", "DELETE FROM trading_receipt", "DELETE FROM trading_logtile",
        "INSERT INTO trading_logentry (kind, leaf, leaf_hash, idx) VALUES ('x', 'x', 'x', 5)",
    ],
)  # fmt: skip
def test_the_database_refuses_to_rewrite_the_log(statement):
    issued()
    logged(WIDTH)
    log.seal()
    logged(1)

    with pytest.raises(IntegrityError), atomic(LogEntry), cursor(LogEntry) as sql:
        sql.execute(statement)


def test_ten_thousand_entries_are_sealed_in_five_seconds_and_a_proof_takes_five_milliseconds():
    for _ in range(10):
        logged(1000)
    began = time.perf_counter()
    log.seal()
    sealing = time.perf_counter() - began

    began = time.perf_counter()
    for index in range(0, 10_000, 200):
        proofs.inclusion(size=None, index=index)
    proving = (time.perf_counter() - began) / 50

    assert places() == list(range(10_000))
    assert Receipt.objects.count() == 0
    assert sealing < 5, f"{sealing:.2f} s"
    assert proving < 0.02, f"{proving * 1000:.1f} ms"  # the target is 5 ms on an idle machine; `make bench` measures it


def test_sealing_is_fast_while_the_statistics_say_that_the_log_is_empty():
    """As after a first burst: with a scan of the table for each entry this took forty seconds."""
    for _ in range(8):
        logged(1000)
    with cursor(LogEntry) as sql:
        sql.execute("UPDATE pg_class SET reltuples = 0, relpages = 500 WHERE relname = 'trading_logentry'")

    began = time.perf_counter()
    log.seal()

    assert time.perf_counter() - began < 5
    assert places() == list(range(8000))
