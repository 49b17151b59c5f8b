"""Check-ins: what runs regularly says when it started, when it finished and how, so that silence can be noticed.

Who keeps them is registered by the project's monitoring (apps/monitoring/handlers.py); the core only passes them on.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import Error, connections
from psycopg_pool import PoolTimeout

log = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
HOST = socket.gethostname()


@dataclass(frozen=True)
class Expected:
    """Something that is to finish every `seconds`; `kind` is queue, relay or task."""

    kind: str
    name: str
    seconds: float


@dataclass(frozen=True)
class CheckIn:
    """The latest run of something expected: begun, and when `finished_at` is there also ended, `error` telling how."""

    expected: Expected
    started_at: datetime
    finished_at: datetime | None = None
    error: str = ""
    host: str = HOST


class Recorder(Protocol):
    """Whoever keeps check-ins."""

    def expect(self, expected: Iterable[Expected]) -> object:
        """Keep a row for each of these, and for nothing else."""

    def record(self, check_ins: Sequence[CheckIn]) -> object:
        """Write these down, at most one for each thing expected."""


_recorders: list[Recorder] = []


def register(recorder: Recorder) -> None:
    """Have every check-in passed on to this recorder."""
    if recorder not in _recorders:
        _recorders.append(recorder)


class CheckIns:
    """The latest check-in of each thing in this process, on its way to the recorders. Noting one never waits.

    A recorder whose database is away is tried again with the next flush, and logged when that changes.
    """

    def __init__(self, expected: Iterable[Expected] = ()) -> None:
        self._expected: list[Expected] | None = list(expected) or None
        self._noted: dict[tuple[str, str], CheckIn] = {}
        self._lock = threading.Lock()
        self._failing = False

    def note(self, check_in: CheckIn) -> None:
        with self._lock:
            self._noted[check_in.expected.kind, check_in.expected.name] = check_in

    def flush(self) -> None:
        """Hand over what was noted since the last time."""
        with self._lock:
            taken, self._noted = self._noted, {}
        try:
            for recorder in _recorders:
                if self._expected is not None:
                    recorder.expect(self._expected)
                if taken:
                    recorder.record(list(taken.values()))
            self._expected = None
            self._log_change(None)
        except (Error, PoolTimeout) as error:
            with self._lock:
                self._noted = taken | self._noted
            self._log_change(error)

    def flush_until(self, stopping: threading.Event) -> None:
        """Flush every few seconds and once more at the end; the body of a thread."""
        while not stopping.wait(FLUSH_SECONDS):
            self.flush()
            for connection in connections.all(initialized_only=True):
                connection.close_if_unusable_or_obsolete()
        self.flush()
        connections.close_all()

    def _log_change(self, error: Exception | None) -> None:
        if self._failing is not (error is not None):
            self._failing = error is not None
            log.warning("check-ins: %s", f"nobody keeps them: {error}" if error else "they are kept again")
