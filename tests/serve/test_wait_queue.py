"""The wait queue by itself: races that no client can time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from aitbc.serve.wait_queue import SWEPT, Waiter, WaitQueue


def on_a_loop(scenario: Callable[[WaitQueue], None]) -> None:
    async def run() -> None:
        scenario(WaitQueue())

    asyncio.run(run())


def woken(*waiters: Waiter) -> list[bool]:
    return [waiter.future.done() for waiter in waiters]


def test_a_wake_up_between_looking_and_parking_is_not_missed() -> None:
    def scenario(waits: WaitQueue) -> None:
        seen = waits.now()
        waits.wake("work:1")

        first, second = waits.park(["work:1"], seen), waits.park(["work:1"], seen)

        assert woken(first, second) == [True, False], "one message is for one waiter"

    on_a_loop(scenario)


def test_an_old_wake_up_wakes_nobody() -> None:
    def scenario(waits: WaitQueue) -> None:
        waits.wake("work:1")
        waits.wake("job:1")

        assert woken(waits.park(["work:1", "job:1"], waits.now() + 0.001)) == [False]

    on_a_loop(scenario)


def test_a_wake_up_already_given_to_a_waiter_is_not_given_again() -> None:
    def scenario(waits: WaitQueue) -> None:
        seen = waits.now()
        first = waits.park(["work:1"], seen)
        waits.wake("work:1")

        assert woken(first, waits.park(["work:1"], seen)) == [True, False]

    on_a_loop(scenario)


def test_work_wakes_one_and_anything_else_wakes_all() -> None:
    def scenario(waits: WaitQueue) -> None:
        waiters = [waits.park(["work:1", "miner:1"], waits.now()) for _ in range(3)]

        waits.wake("work:1")
        assert woken(*waiters) == [True, False, False]
        waits.wake("miner:1")
        assert woken(*waiters) == [True, True, True]
        assert not waits.waiting

    on_a_loop(scenario)


def test_an_unused_wake_up_goes_to_the_next() -> None:
    def scenario(waits: WaitQueue) -> None:
        first, second = waits.park(["work:1"], waits.now()), waits.park(["work:1"], waits.now())
        waits.wake("work:1")

        waits.pass_on(first)
        waits.pass_on(first)

        assert woken(second) == [True]
        assert "work:1" not in waits.unused, "one wake-up was passed on twice"

    on_a_loop(scenario)


def test_a_waiter_that_left_is_not_woken() -> None:
    def scenario(waits: WaitQueue) -> None:
        first, second = waits.park(["work:1"], waits.now()), waits.park(["work:1"], waits.now())

        waits.leave(first)
        waits.leave(first)
        waits.wake("work:1")

        assert woken(first, second) == [False, True]

    on_a_loop(scenario)


@pytest.mark.parametrize(("topics", "expected"), [(1, 1), (5, 5), (100, SWEPT)])
def test_a_sweep_sends_one_waiter_a_topic_but_only_a_few(topics: int, expected: int) -> None:
    def scenario(waits: WaitQueue) -> None:
        waiters = [waits.park([f"work:{n % topics}"], waits.now()) for n in range(200)]

        waits.sweep()

        assert sum(woken(*waiters)) == expected

    on_a_loop(scenario)


def test_sweeps_reach_every_topic_in_turn() -> None:
    def scenario(waits: WaitQueue) -> None:
        waiters = [waits.park([f"work:{n}"], waits.now()) for n in range(100)]
        repeaters = [waits.park([f"work:{n}"], waits.now()) for n in range(100)]

        for _ in range(100 // SWEPT + 1):
            waits.sweep()

        assert all(woken(*waiters))
        assert not all(woken(*repeaters))

    on_a_loop(scenario)


def test_one_waiter_looks_for_all_its_topics() -> None:
    def scenario(waits: WaitQueue) -> None:
        waiters = [waits.park([f"work:{n}" for n in range(180)], waits.now()) for _ in range(50)]

        waits.sweep()

        assert sum(woken(*waiters)) == 1

    on_a_loop(scenario)


def test_a_draining_waits_lets_everybody_go() -> None:
    def scenario(waits: WaitQueue) -> None:
        early = waits.park(["work:1"], waits.now())

        waits.drain()

        assert woken(early, waits.park(["job:2"], waits.now())) == [True, True]

    on_a_loop(scenario)
