"""A relay's scheduler as a process of its own: `python -m tests.core.scheduler_process TICKS`.

It runs one sweep five times a second, which appends a line to the file; its locks last for seconds only.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
NAME = "apps.governance.tasks.tick"


def main(ticks: Path) -> None:
    django.setup()
    from aitbc.core import locks, scheduler
    from aitbc.core.check_ins import CheckIns

    locks.IDLE_SECONDS, scheduler.PING_SECONDS = 2, 0.5

    def tick() -> None:
        with ticks.open("a") as file:
            file.write(f"{os.getpid()} {time.time()}\n")

    scheduler.Scheduler({NAME: {"task": NAME, "schedule": 0.2}}, {NAME: tick}, CheckIns()).start()
    time.sleep(120)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
