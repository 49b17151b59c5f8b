"""A database that cannot be reached is not asked again for a second: its callers get their 503 at once."""

from __future__ import annotations

import threading
import time

from psycopg import OperationalError

PAUSE = 1.0
PROBE_SECONDS = 3.0  # longer than a probe may take: connect, or hear of an old connection


class BreakerOpen(OperationalError):
    """This database did not answer a moment ago."""


class Breaker:
    """Closed while connections succeed; after a failure open for a second, then one caller at a time probes."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self._lock = threading.Lock()
        self._open_until = 0.0  # 0 = closed

    @property
    def is_open(self) -> bool:
        return self._open_until > 0

    def enter(self) -> None:
        """Let the caller try, or raise at once; whoever is let in while the breaker is open is the probe."""
        if not self._open_until:
            return
        with self._lock:
            now = time.monotonic()
            if self._open_until > now:
                raise BreakerOpen(f"database {self.alias} did not answer a moment ago")
            # The next probe waits until this one has had its time.
            self._open_until = now + PROBE_SECONDS

    def trip(self) -> None:
        with self._lock:
            self._open_until = time.monotonic() + PAUSE

    def close(self) -> None:
        self._open_until = 0.0


_breakers: dict[str, Breaker] = {}


def breaker(alias: str) -> Breaker:
    """The breaker of this alias in this process."""
    return _breakers.setdefault(alias, Breaker(alias))
