"""`manage.py relay`: carry facts between the domains' databases."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from django.core.management.base import CommandParser

from aitbc.celery import app as celery
from aitbc.core.cli.commands import ProjectCommand
from aitbc.core.messaging.relay import drain
from aitbc.core.messaging.worker import ResidentRelay
from aitbc.core.standin import StandIn


class Command(ProjectCommand):
    help = "Carry facts between the domains' databases until stopped (or, with --once, until nothing is due)."
    examples = "  manage.py relay\n  manage.py relay --once\n"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="deliver what is due now and leave")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        if once:
            self.stdout.write(f"{drain()} messages delivered")
            return
        stopping = False

        def stop(signum: int, frame: FrameType | None) -> None:
            nonlocal stopping
            stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        StandIn(celery).start()
        self.stdout.write("relay: running")
        ResidentRelay(lambda: stopping).run()
