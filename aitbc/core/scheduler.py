"""The scheduler of the frequent sweeps: they run in the relay's process, so that they need neither beat nor Valkey.

Each sweep has an advisory lock in its domain's own database. The relay that holds it runs the sweep at its interval for
as long as it lives; other relays, on any machine, try for the lock at the same interval and take over when it is gone.
Rows are locked by the sweeps themselves: the lock saves double work, it is not what keeps them correct.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from django.db import connections
from django.utils import timezone

from aitbc.core.check_ins import CheckIn, CheckIns, Expected
from aitbc.core.db import sqlstate
from aitbc.core.locks import SessionLocks
from aitbc.core.messaging.relay import is_down
from aitbc.domains import LABELS

log = logging.getLogger(__name__)

# Sweeps of one domain at a time, so that a slow one leaves room for the others and the pool for the relay.
CONCURRENCY = 2
# The lock connection is used at least this often, or the server ends it (locks.IDLE_SECONDS).
PING_SECONDS = 10.0
# A sweep that runs for so long hangs: it no longer takes up room, and another relay may have its lock.
HUNG_SECONDS = 120.0
RETRY_SECONDS = 1.0
STOP_SECONDS = 10.0


@dataclass
class Sweep:
    """One task of the schedule and where it stands; times are time.monotonic()."""

    name: str
    seconds: float
    call: Callable[[], Any]
    due: float = field(default_factory=time.monotonic)
    started: float | None = None
    hung: bool = False
    failure: str = ""

    @property
    def expected(self) -> Expected:
        return Expected("task", self.name, self.seconds)


def alias_of_task(name: str) -> str:
    """The database a task belongs to: its domain's, or `default` for what belongs to none."""
    parts = name.split(".")
    return parts[1] if parts[0] == "apps" and parts[1] in LABELS else "default"


class DomainScheduler(threading.Thread):
    """Runs the sweeps of one domain. While that domain's database is away it waits, and the other domains do not."""

    def __init__(self, alias: str, sweeps: Iterable[Sweep], check_ins: CheckIns) -> None:
        super().__init__(name=f"sweeps of {alias}", daemon=True)
        self.alias = alias
        self.sweeps = list(sweeps)
        self.check_ins = check_ins
        self.locks = SessionLocks(alias)
        self.stopping = False
        self.away = False
        self._changed = threading.Event()
        self._pinged = 0.0

    def run(self) -> None:
        while not self.stopping:
            wait = self.step()
            self._changed.wait(wait)
            self._changed.clear()
        self._finish()

    def stop(self) -> None:
        """Start nothing more; what runs may finish."""
        self.stopping = True
        self._changed.set()

    def step(self) -> float:
        """Start what is due and may run here; returns after how many seconds to look again, unless a sweep ends."""
        now = time.monotonic()
        try:
            self._give_up_hung(now)
            due = sorted((s for s in self.sweeps if s.due <= now and s.started is None), key=lambda s: s.due)
            if not due and now - self._pinged < PING_SECONDS:
                return self._until_due(now)
            held = self.locks.hold([sweep.name for sweep in due])
        except psycopg.Error as error:
            self._log_availability(error)
            return RETRY_SECONDS
        self._pinged = now
        self._log_availability(None)
        for sweep in due:
            if sweep.name not in held:
                sweep.due = now + sweep.seconds  # another relay's
            elif self._busy() < CONCURRENCY:
                self._start(sweep, now)
        return self._until_due(now)

    def _start(self, sweep: Sweep, now: float) -> None:
        sweep.started, sweep.hung = now, False
        sweep.due += sweep.seconds
        if sweep.due < now:  # what was missed is not made up for
            sweep.due = now + sweep.seconds
        threading.Thread(target=self._run_sweep, args=(sweep,), name=sweep.name, daemon=True).start()

    def _run_sweep(self, sweep: Sweep) -> None:
        began = timezone.now()
        self.check_ins.note(CheckIn(sweep.expected, began))
        failure = "it was broken off"
        try:
            sweep.call()
            failure = ""
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"[:500]
            if (kind := f"{type(error).__name__} {sqlstate(error)}") != sweep.failure:
                sweep.failure = kind  # the same failure once a second says nothing new
                log.warning("sweeps: %s failed: %s", sweep.name, error, exc_info=not is_down(error))
        finally:
            connections.close_all()  # back to their pools: this thread ends
            self._ended(sweep, began, failure)

    def _ended(self, sweep: Sweep, began: datetime, failure: str) -> None:
        self.check_ins.note(CheckIn(sweep.expected, began, timezone.now(), failure))
        if sweep.failure and not failure:
            sweep.failure = ""
            log.warning("sweeps: %s works again", sweep.name)
        sweep.started = None
        self._changed.set()

    def _busy(self) -> int:
        return sum(sweep.started is not None and not sweep.hung for sweep in self.sweeps)

    def _until_due(self, now: float) -> float:
        """At most RETRY_SECONDS; while there is no room for what is due, until a sweep ends."""
        if self._busy() >= CONCURRENCY:
            return RETRY_SECONDS
        soonest = min((sweep.due for sweep in self.sweeps if sweep.started is None), default=now + RETRY_SECONDS)
        return min(max(soonest - now, 0.0), RETRY_SECONDS)

    def _give_up_hung(self, now: float) -> None:
        for sweep in self.sweeps:
            if sweep.started is not None and not sweep.hung and now - sweep.started > HUNG_SECONDS:
                sweep.hung = True
                log.error("sweeps: %s runs for more than %.0f s", sweep.name, HUNG_SECONDS)
                self.locks.release(sweep.name)

    def _log_availability(self, error: psycopg.Error | None) -> None:
        if self.away is not (error is not None):
            self.away = error is not None
            state = f"its database is away: {error}" if error else "its database is back"
            log.warning("sweeps of %s: %s", self.alias, state)

    def _finish(self) -> None:
        """Keep the locks until what runs has ended, but not for long."""
        deadline = time.monotonic() + STOP_SECONDS
        while self._busy() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.locks.close()


class Scheduler:
    """The sweeps of all domains, and the check-ins of this process."""

    def __init__(
        self, entries: Mapping[str, Mapping[str, Any]], tasks: Mapping[str, Callable[[], Any]], check_ins: CheckIns
    ) -> None:
        """`entries` as in aitbc/schedule.py; `tasks` finds the function of an entry's task by its name."""
        self.check_ins = check_ins
        self._stopping = threading.Event()
        by_alias: dict[str, list[Sweep]] = {}
        for entry in entries.values():
            name = entry["task"]
            by_alias.setdefault(alias_of_task(name), []).append(Sweep(name, entry["schedule"], tasks[name]))
        self.domains = [DomainScheduler(alias, sweeps, check_ins) for alias, sweeps in by_alias.items()]
        self._reporter = threading.Thread(
            target=check_ins.flush_until, args=(self._stopping,), name="check-ins", daemon=True
        )

    def start(self) -> None:
        for domain in self.domains:
            domain.start()
        self._reporter.start()

    def stop(self) -> None:
        """Let what runs finish, for some seconds, and leave the locks to others."""
        for domain in self.domains:
            domain.stop()
        for domain in self.domains:
            domain.join(STOP_SECONDS + 5)
        self._stopping.set()
        self._reporter.join(5)
