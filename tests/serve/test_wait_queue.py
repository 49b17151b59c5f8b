"""The waiting room by itself: races that no client can time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from aitbc.serve.wait_queue import SWEPT, Hub, Waiter


def on_a_loop(scenario: Callable[[Hub], None]) -> None:
    async def run() -> None:
        scenario(Hub())

    asyncio.run(run())


def woken(*waiters: Waiter) -> list[bool]:
    return [waiter.future.done() for waiter in waiters]


def test_a_wake_up_between_looking_and_parking_is_not_missed() -> None:
    def scenario(hub: Hub) -> None:
        seen = hub.now()
        hub.wake("work:1")

        first, second = hub.park(["work:1"], seen), hub.park(["work:1"], seen)

        assert woken(first, second) == [True, False], "one message is for one waiter"

    on_a_loop(scenario)


def test_an_old_wake_up_wakes_nobody() -> None:
    def scenario(hub: Hub) -> None:
        hub.wake("work:1")
        hub.wake("job:1")

        assert woken(hub.park(["work:1", "job:1"], hub.now() + 0.001)) == [False]

    on_a_loop(scenario)


def test_a_wake_up_already_given_to_a_waiter_is_not_given_again() -> None:
    def scenario(hub: Hub) -> None:
        seen = hub.now()
        first = hub.park(["work:1"], seen)
        hub.wake("work:1")

        assert woken(first, hub.park(["work:1"], seen)) == [True, False]

    on_a_loop(scenario)


def test_work_wakes_one_and_anything_else_wakes_all() -> None:
    def scenario(hub: Hub) -> None:
        waiters = [hub.park(["work:1", "miner:1"], hub.now()) for _ in range(3)]

        hub.wake("work:1")
        assert woken(*waiters) == [True, False, False]
        hub.wake("miner:1")
        assert woken(*waiters) == [True, True, True]
        assert not hub.rooms

    on_a_loop(scenario)


def test_an_unused_wake_up_goes_to_the_next() -> None:
    def scenario(hub: Hub) -> None:
        first, second = hub.park(["work:1"], hub.now()), hub.park(["work:1"], hub.now())
        hub.wake("work:1")

        hub.hand_on(first)
        hub.hand_on(first)

        assert woken(second) == [True]
        assert "work:1" not in hub.unclaimed, "one wake-up was handed on twice"

    on_a_loop(scenario)


def test_a_waiter_that_left_is_not_woken() -> None:
    def scenario(hub: Hub) -> None:
        first, second = hub.park(["work:1"], hub.now()), hub.park(["work:1"], hub.now())

        hub.leave(first)
        hub.leave(first)
        hub.wake("work:1")

        assert woken(first, second) == [False, True]

    on_a_loop(scenario)


@pytest.mark.parametrize(("topics", "expected"), [(1, 1), (5, 5), (100, SWEPT)])
def test_a_sweep_sends_one_waiter_a_topic_but_only_a_few(topics: int, expected: int) -> None:
    def scenario(hub: Hub) -> None:
        waiters = [hub.park([f"work:{n % topics}"], hub.now()) for n in range(200)]

        hub.sweep()

        assert sum(woken(*waiters)) == expected

    on_a_loop(scenario)


def test_sweeps_reach_every_topic_in_turn() -> None:
    def scenario(hub: Hub) -> None:
        waiters = [hub.park([f"work:{n}"], hub.now()) for n in range(100)]
        repeaters = [hub.park([f"work:{n}"], hub.now()) for n in range(100)]

        for _ in range(100 // SWEPT + 1):
            hub.sweep()

        assert all(woken(*waiters))
        assert not all(woken(*repeaters))

    on_a_loop(scenario)


def test_one_waiter_looks_for_all_its_topics() -> None:
    def scenario(hub: Hub) -> None:
        waiters = [hub.park([f"work:{n}" for n in range(180)], hub.now()) for _ in range(50)]

        hub.sweep()

        assert sum(woken(*waiters)) == 1

    on_a_loop(scenario)


def test_a_draining_hub_lets_everybody_go() -> None:
    def scenario(hub: Hub) -> None:
        early = hub.park(["work:1"], hub.now())

        hub.drain()

        assert woken(early, hub.park(["job:2"], hub.now())) == [True, True]

    on_a_loop(scenario)
