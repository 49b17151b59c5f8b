"""`manage.py relay`: carry events between the domains' databases, and run the frequent sweeps."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from aitbc.celery import app as celery
from aitbc.core.check_ins import CheckIn, CheckIns, Expected
from aitbc.core.cli.commands import ProjectCommand
from aitbc.core.messaging.relay import drain
from aitbc.core.messaging.worker import ResidentRelay
from aitbc.core.scheduler import Scheduler
from aitbc.schedule import RELAY_SECONDS, expected, in_relay


class Command(ProjectCommand):
    help = (
        "Carry events between the domains' databases and run the sweeps that come every minute or oftener, "
        "until stopped (or, with --once, carry events until nothing is due)."
    )
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
        celery.loader.import_default_modules()
        check_ins = CheckIns(expected())
        scheduler = Scheduler(in_relay(), celery.tasks, check_ins)
        scheduler.start()
        self.stdout.write("relay: running")
        relay = Expected("relay", "relay", RELAY_SECONDS)

        def check_in() -> None:
            check_ins.note(CheckIn(relay, timezone.now(), timezone.now()))

        ResidentRelay(lambda: stopping, on_round=check_in).run()
        scheduler.stop()
