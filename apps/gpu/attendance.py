"""A web process says every second that miners can be heard (services/absence.py)."""

from __future__ import annotations

import logging
import threading
import time

from django.conf import settings
from django.db import Error, connections

from aitbc.domains import served
from apps.gpu.services import exchange_downtime

log = logging.getLogger(__name__)

SECONDS = 1.0


class Attendance(threading.Thread):
    """It ends with the process, and stops with it."""

    def __init__(self) -> None:
        super().__init__(name="attendance", daemon=True)

    def run(self) -> None:
        while True:
            self.note()
            time.sleep(SECONDS)

    def note(self) -> None:
        try:
            exchange_downtime.tick()
        except Error as error:
            log.warning("attendance: %s", error)
        finally:
            connections["gpu"].close()


def attend() -> None:
    """Begin, in a process that serves gpu's doors; tests tell the time themselves."""
    if not settings.TESTING and any(domain.label == "gpu" for domain in served(settings.AITBC_SERVICES)):
        Attendance().start()
