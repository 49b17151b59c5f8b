"""Running the exchange's own programs: output with a name in front, restarted when they die, stopped together."""

from __future__ import annotations

import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from aitbc.core.management.commands.serve import flags
from aitbc.domains import LABELS
from aitbc.embedded.processes import end_group, spawn, stop

COLOURS = {"web": "cyan", "worker": "magenta", "beat": "blue", "relay": "yellow", "miner": "green"}
GRANIAN = Path(sysconfig.get_path("scripts")) / "granian"
QUICK_SECONDS = 5.0
LONGEST_PAUSE = 10.0


def commands(port: int, var: str, *, miner: bool) -> dict[str, list[str]]:
    """The programs of one machine, by name. The first one alone makes the exchange answer, so it is started alone."""
    manage = [sys.executable, "-m", "aitbc"]
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "aitbc.celery"]
    queues = ",".join((*LABELS, "relay"))
    found = {
        "web": [str(GRANIAN), *flags("127.0.0.1", port, workers=2)],  # what `manage.py serve` becomes, one boot earlier
        "worker": [*celery, "worker", "--concurrency", "2", "--queues", queues, "--loglevel", "WARNING"],
        "beat": [*celery, "beat", "--schedule", f"{var}/beat", "--loglevel", "WARNING", "--pidfile", ""],
        "relay": [*manage, "relay"],
    }
    if miner:
        found["miner"] = [*manage, "miner", "run", "--state-dir", f"{var}/miner"]
    return found


@dataclass
class Program:
    """One program that is kept running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    console: Console
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 0.5
    due: float = 0.0
    reader: threading.Thread | None = None

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = spawn(self.command, env=self.environment, out=subprocess.PIPE)
        self.reader = threading.Thread(target=self.echo, args=(self.process,), daemon=True)
        self.reader.start()

    def echo(self, process: subprocess.Popen[bytes]) -> None:
        """Print its lines, its name in front."""
        if process.stdout is None:
            return
        with process.stdout as lines:
            for line in lines:
                text = Text(f"{self.name:>7} │ ", style=COLOURS.get(self.name, "white"))
                self.console.print(text + Text.from_ansi(line.decode(errors="replace").rstrip()), soft_wrap=True)

    def restart_ended(self) -> None:
        """Start it again when it has ended: soon, and less soon when it ends at once each time."""
        now = time.monotonic()
        if self.process is None or self.process.poll() is None:
            return
        if not self.due:
            lived = now - self.started
            self.pause = 0.5 if lived > QUICK_SECONDS else min(LONGEST_PAUSE, self.pause * 2)
            self.due = now + self.pause
            message = f"{self.name} ended with {self.process.returncode}; starting it again in {self.pause:.1f} s"
            self.console.print(f"[red]{message}[/]")
            end_group(self.process)
        elif now >= self.due:
            self.due = 0.0
            self.start()

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process, first=signal.SIGTERM, seconds=30)
        if self.reader is not None:
            self.reader.join(1)  # its last words
