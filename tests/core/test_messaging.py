"""The relay: order per key, exactly once, poison isolated, dead letters kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import connections

from aitbc.core.db import atomic
from aitbc.core.ids import uuid7
from aitbc.core.messaging import EVENTS, HANDLERS, Event, emit, subscribe
from aitbc.core.messaging.models import ATTEMPTS, DROPPED, NEVER
from aitbc.core.messaging.relay import ConsumerDown, Row, drain, drop, redeliver, relay_pair, waves
from apps.governance.models.messages import Inbox
from apps.marketplace.models import Outbox


@dataclass(frozen=True, kw_only=True)
class Rang(Event):
    NAME = "marketplace.test.rang.v1"
    KEY = "bell"
    bell: str
    n: int


class Consumer:
    """A consumer that remembers what it received, and refuses the keys in `refuse`."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.batches: list[int] = []
        self.refuse: set[str] = set()

    def hear(self, events) -> None:
        self.batches.append(len(events))
        for event in events:
            if event.bell in self.refuse:
                raise ValueError(f"cannot hear {event.bell}")
        self.heard += [(event.bell, event.n) for event in events]

    def of(self, bell: str) -> list[int]:
        return [n for heard, n in self.heard if heard == bell]


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    EVENTS[Rang.NAME] = Rang
    listener = Consumer()
    subscribe(Rang, by="governance")(listener.hear)
    yield listener
    del HANDLERS[Rang.NAME, "governance"]


def ring(*rings: tuple[str, int]) -> None:
    with atomic(Outbox):
        emit(*(Rang(bell=bell, n=n) for bell, n in rings), by="marketplace")


def make_due() -> None:
    Outbox.objects.filter(due_at__lt=NEVER).update(due_at="2020-01-01T00:00:00Z")


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_a_fact_outside_a_transaction_is_refused():
    with pytest.raises(RuntimeError, match="transaction"):
        emit(Rang(bell="a", n=1), by="marketplace")


def test_a_fact_without_subscribers_leaves_no_row():
    ring(("a", 1))

    assert not Outbox.objects.exists()


def test_facts_arrive_in_order_per_key_and_leave_the_outbox(consumer):
    ring(*((bell, n) for n in range(20) for bell in "abc"))

    assert drain() == 60

    assert all(consumer.of(bell) == list(range(20)) for bell in "abc")
    assert not Outbox.objects.exists()
    assert Inbox.objects.count() == 60


def test_handlers_receive_batches_with_one_event_per_key(consumer):
    ring(*((f"bell-{i}", 0) for i in range(100)))

    drain()

    assert consumer.batches == [100]


def test_a_redelivered_fact_has_no_second_effect(consumer):
    ring(("a", 1))
    row = Outbox.objects.values().get()
    drain()

    Outbox.objects.create(**row)  # the relay died between the two commits
    drain()

    assert consumer.of("a") == [1]
    assert not Outbox.objects.exists()


def test_a_poisoned_fact_delays_only_its_own_key(consumer):
    consumer.refuse = {"bad"}
    ring(("good", 1), ("bad", 1), ("bad", 2), ("fine", 1), ("good", 2))

    drain()

    assert sorted(consumer.heard) == [("fine", 1), ("good", 1), ("good", 2)]
    first, second = Outbox.objects.order_by("id")
    assert (first.attempts, second.attempts) == (1, 0)
    assert "cannot hear bad" in first.last_error
    assert first.due_at == second.due_at


def test_a_healed_key_goes_on_in_order(consumer):
    consumer.refuse = {"bad"}
    ring(("bad", 1), ("bad", 2), ("bad", 3))
    drain()

    consumer.refuse = set()
    make_due()
    drain()

    assert consumer.of("bad") == [1, 2, 3]


def test_after_the_last_attempt_a_fact_is_a_dead_letter(consumer):
    consumer.refuse = {"bad"}
    ring(("bad", 1), ("bad", 2))

    for _ in range(ATTEMPTS):
        make_due()
        drain()

    dead = Outbox.objects.dead().get()
    assert (dead.key, dead.attempts) == ("bad", ATTEMPTS)
    assert Outbox.objects.count() == 2


def test_a_dead_letter_can_be_redelivered(consumer):
    consumer.refuse = {"bad"}
    ring(("bad", 1), ("bad", 2))
    for _ in range(ATTEMPTS):
        make_due()
        drain()

    consumer.refuse = set()
    redeliver("marketplace", [Outbox.objects.dead().get().id])
    drain()

    assert consumer.of("bad") == [1, 2]


def test_a_dropped_letter_is_kept_with_its_reason_and_frees_its_key(consumer):
    consumer.refuse = {"bad"}
    ring(("bad", 1), ("bad", 2))
    drain()

    consumer.refuse = set()
    drop("marketplace", [Outbox.objects.order_by("id").first().id], actor="operator:x", reason="duplicate")
    drain()

    assert consumer.of("bad") == [2]
    kept = Outbox.objects.get()
    assert kept.consumer == "governance" + DROPPED
    assert "operator:x: duplicate" in kept.last_error


def test_dropping_needs_a_reason(consumer):
    with pytest.raises(ValueError, match="reason"):
        drop("marketplace", [1], actor="x", reason=" ")


def test_followers_of_a_postponed_head_do_not_block_the_window(consumer):
    consumer.refuse = {"bad"}
    ring(("bad", 0))
    drain()
    ring(*(("bad", n) for n in range(1, 1000)))
    ring(("good", 1))

    consumer.refuse = set()
    for _ in range(5):
        relay_pair("marketplace", "governance")

    assert consumer.of("good") == [1]


def test_waves_keep_one_row_per_key_and_one_fact_per_group():
    rows = [Row(i, uuid7(), name, key, "{}", 0) for i, (name, key) in enumerate(["xa", "xb", "ya", "xa", "yb"])]

    groups = [[(row.name, row.key) for row in group] for group in waves(rows)]

    assert groups == [[("x", "a"), ("x", "b")], [("y", "a"), ("y", "b")], [("x", "a")]]


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_racing_relays_deliver_each_fact_once_and_in_order(consumer):
    heard_by: list[tuple[str, int]] = []
    lock = threading.Lock()

    def hear(events) -> None:
        with lock:
            heard_by.extend((event.bell, event.n) for event in events)

    HANDLERS[Rang.NAME, "governance"] = hear
    for n in range(10):
        ring(*((f"bell-{i}", n) for i in range(40)))

    def race() -> None:
        while relay_pair("marketplace", "governance", 20) or Outbox.objects.exists():
            pass
        connections.close_all()

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(heard_by) == 400
    assert all([n for b, n in heard_by if b == f"bell-{i}"] == list(range(10)) for i in range(40))


@pytest.mark.transaction
def test_a_connection_that_breaks_under_a_handler_is_not_held_against_the_event(consumer):
    ring(("a", 1))

    def broken(events):
        connections["governance"].connection.close()
        consumer.hear(events)
        Inbox.objects.exists()

    HANDLERS[Rang.NAME, "governance"] = broken
    with pytest.raises(ConsumerDown):
        relay_pair("marketplace", "governance")
    connections["governance"].close()

    HANDLERS[Rang.NAME, "governance"] = consumer.hear
    assert list(Outbox.objects.values_list("attempts", flat=True)) == [0]
    assert relay_pair("marketplace", "governance") == 1
