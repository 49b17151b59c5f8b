"""What beat and worker do, done by the relay's process while they are silent: sweeps must not wait for Valkey.

A task that goes all the way from beat through Valkey to a worker leaves a mark every two seconds (core/tasks.py). When
the mark grows old, whichever of the three is missing, the short-term part of the beat table is run here. Sweeps take
their rows with SKIP LOCKED, so that both at once do no harm.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from celery import Celery
from django.conf import settings
from django.db import connections

from aitbc.schedule import SCHEDULE

log = logging.getLogger(__name__)

PATIENCE = 5.0
LONGEST_INTERVAL = 60.0  # what is done less often may wait for Valkey
OWN = "aitbc.core.tasks."  # the relay itself does these


def mark() -> Path:
    return Path(settings.RUN_DIR) / "swept"


def leave_mark() -> None:
    path = mark()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def mark_is_fresh() -> bool:
    """Whether somebody swept a moment ago; a mark from the future is of another time."""
    try:
        return 0 <= time.time() - mark().stat().st_mtime < PATIENCE
    except FileNotFoundError:
        return False


class StandIn(threading.Thread):
    """Looks every second whether it is needed. It ends with the process."""

    def __init__(self, celery: Celery) -> None:
        super().__init__(name="stand-in", daemon=True)
        self.celery = celery
        self.due: dict[str, float] = {}
        self.acting = False

    def run(self) -> None:
        self.celery.loader.import_default_modules()
        time.sleep(PATIENCE)  # a worker that starts beside us has not left its mark yet
        while True:
            self.look()
            time.sleep(1.0)

    def look(self) -> None:
        """Stand in, begin to, or stop."""
        needed = not mark_is_fresh()
        if needed != self.acting:
            log.warning("sweeps: %s", "nobody does them, the relay stands in" if needed else "the worker is back")
            self.acting = needed
            connections.close_all()
        if needed:
            for name in self.due_now():
                self.do(name)

    def due_now(self) -> list[str]:
        """The short-term tasks whose time has come; each is put on to its next time."""
        now = time.monotonic()
        found = [
            (name, entry["schedule"])
            for name, entry in SCHEDULE.items()
            if entry["schedule"] <= LONGEST_INTERVAL and not name.startswith(OWN) and self.due.get(name, 0) <= now
        ]
        self.due |= {name: now + seconds for name, seconds in found}
        return [name for name, _ in found]

    def do(self, name: str) -> None:
        try:
            self.celery.tasks[name]()
        except Exception as error:  # its database may be the next thing that is away: the others must go on
            log.warning("sweeps: %s failed: %s", name, error)
        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()
