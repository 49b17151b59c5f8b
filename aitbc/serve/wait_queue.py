"""Who waits for what: parked requests by topic, first come first served where work is handed out.

Everything here runs on the event loop's thread, so nothing needs a lock.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Iterable

WORK = "work:"
SWEPT = 16
FORGET_SECONDS = 60.0
REMEMBERED = 64


class Waiter:
    """One parked request. Its future is done once it was woken; `cause` is the work topic that woke it."""

    __slots__ = ("cause", "future", "topics")

    def __init__(self, topics: Iterable[str]) -> None:
        self.topics = tuple(dict.fromkeys(topics))
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.cause: str | None = None

    @property
    def seeks_work(self) -> bool:
        return any(topic.startswith(WORK) for topic in self.topics)


class WaitQueue:
    """The parked requests of one web process."""

    def __init__(self) -> None:
        # An OrderedDict gives up its oldest in constant time even after a million departures; a dict does not.
        self.waiting: OrderedDict[str, OrderedDict[Waiter, None]] = OrderedDict()
        # Moments of wake-ups that nobody was parked for, by topic.
        self.unused: dict[str, deque[float]] = {}
        self.draining = False

    @staticmethod
    def now() -> float:
        """The generation to remember before looking for work: wake-ups from here on will not be missed by park()."""
        return time.monotonic()

    def park(self, topics: Iterable[str], seen: float) -> Waiter:
        """Wait for any of the topics; woken at once if one of them woke since `seen` and nobody took that wake-up."""
        waiter = Waiter(topics)
        for topic in waiter.topics:
            if self._missed(topic, seen):
                waiter.cause = topic if topic.startswith(WORK) else None
                waiter.future.set_result(None)
                return waiter
        if self.draining:
            waiter.future.set_result(None)
            return waiter
        for topic in waiter.topics:
            self.waiting.setdefault(topic, OrderedDict())[waiter] = None
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Stop waiting (idempotent)."""
        for topic in waiter.topics:
            parked = self.waiting.get(topic)
            if parked is not None:
                parked.pop(waiter, None)
                if not parked:
                    del self.waiting[topic]

    def wake(self, topic: str) -> None:
        """One message: the first waiter of a work topic, or everybody at any other topic."""
        parked = self.waiting.get(topic)
        if not topic.startswith(WORK):
            self.unused[topic] = deque([self.now()])
            for waiter in list(parked or ()):
                self._wake_waiter(waiter)
        elif parked:
            self._wake_waiter(next(iter(parked)), cause=topic)
        else:
            # Kept for a request that is looking right now and has not parked yet.
            self.unused.setdefault(topic, deque(maxlen=REMEMBERED)).append(self.now())

    def pass_on(self, waiter: Waiter) -> None:
        """Give the wake-up that this waiter could not use to the next one."""
        if waiter.cause is not None:
            topic, waiter.cause = waiter.cause, None
            self.wake(topic)

    def sweep(self) -> None:
        """Send a few waiters to look for themselves, so that lost wake-ups heal.

        One looks for all the topics it waits for; topics take turns when there are more than one sweep can cover.
        """
        covered: set[str] = set()
        woken = 0
        for topic in list(self.waiting):
            if woken == SWEPT:
                break
            if topic not in self.waiting:
                continue
            self.waiting.move_to_end(topic)
            if topic.startswith(WORK) and topic not in covered:
                waiter = next(iter(self.waiting[topic]))
                covered.update(waiter.topics)
                self._wake_waiter(waiter)
                woken += 1
        self._forget()

    def drain(self) -> None:
        """Wake everybody for good: the process is leaving."""
        self.draining = True
        for parked in list(self.waiting.values()):
            for waiter in list(parked):
                self._wake_waiter(waiter)

    def _wake_waiter(self, waiter: Waiter, cause: str | None = None) -> None:
        self.leave(waiter)
        waiter.cause = cause
        if not waiter.future.done():
            waiter.future.set_result(None)

    def _missed(self, topic: str, seen: float) -> bool:
        times = self.unused.get(topic)
        if not times or times[-1] < seen:
            return False
        if topic.startswith(WORK):
            times.pop()
            if not times:
                del self.unused[topic]
        return True

    def _forget(self) -> None:
        oldest = self.now() - FORGET_SECONDS
        for topic, times in list(self.unused.items()):
            while times and times[0] < oldest:
                times.popleft()
            if not times:
                del self.unused[topic]
