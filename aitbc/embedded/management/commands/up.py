"""`manage.py up`: run a whole exchange on this machine."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from aitbc.core.cli.arguments import PORT
from aitbc.core.cli.commands import ProjectCommand
from aitbc.core.cli.tables import PrintableConsole
from aitbc.domains import GATEWAY_PORT
from aitbc.embedded.demo import Demo, DemoFailed
from aitbc.embedded.supervisor import AlreadyRunning, Supervisor, read_env


class Command(ProjectCommand):
    """Start PostgreSQL and Valkey (unless DATABASE_URL / REDIS_URL name real ones), web, worker, beat, relay, a miner.

    The first job is shown from submit to a verified receipt. Ctrl-C stops everything.
    """

    help = __doc__
    examples = (
        "  manage.py up\n  manage.py up --port 8090 --no-demo\n"
        "  DATABASE_URL=postgresql://user@host/aitbc REDIS_URL=redis://host/0 manage.py up\n"
        "  AITBC_VAR_DIR=/srv/aitbc manage.py up --once\n"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=PORT, default=GATEWAY_PORT, help=f"port of the web server ({GATEWAY_PORT})")
        parser.add_argument("--no-demo", action="store_true", help="do not submit a first job")
        parser.add_argument("--no-miner", action="store_true", help="do not run a miner on this machine")
        parser.add_argument("--once", action="store_true", help="stop after the first job; exit 1 if it failed")

    def handle(self, *args: Any, port: int, no_demo: bool, no_miner: bool, once: bool, **options: Any) -> None:
        console = PrintableConsole()
        supervisor = self.supervisor(Path(settings.VAR_DIR), port, miner=not no_miner, console=console)
        var = supervisor.var
        with supervisor.running():
            keys = read_env(var / "dev.env")
            console.print(summary(keys, var))
            job = FirstJob(Demo(supervisor.url, keys, var, console), supervisor)
            if not (no_demo or no_miner):
                job.start()
            supervisor.watch(until=lambda: once and not job.is_alive())
        if once and job.failure:
            raise CommandError(job.failure)

    def supervisor(self, var: Path, port: int, *, miner: bool, console: Console) -> Supervisor:
        """One for this folder; beside a running one, one for a folder and databases of its own."""
        try:
            return Supervisor(var=var, port=port, miner=miner, console=console)
        except AlreadyRunning as error:
            if os.environ.get("DATABASE_URL"):  # two exchanges with different signing keys must not share databases
                raise CommandError(str(error)) from None
            beside = var / f"port-{port}"
            console.print(f"[dim]an exchange is running in {var}; this one is another, in {beside}[/]")
        try:
            return Supervisor(var=beside, port=port, miner=miner, console=console)
        except AlreadyRunning as error:
            raise CommandError(str(error)) from None


class FirstJob(threading.Thread):
    """The demonstration, beside the supervisor's watch: what dies meanwhile is started again, Ctrl-C works."""

    def __init__(self, demo: Demo, supervisor: Supervisor) -> None:
        super().__init__(daemon=True)
        self.demo, self.supervisor = demo, supervisor
        self.failure = ""

    def run(self) -> None:
        try:
            self.demo.run()
        except (DemoFailed, httpx.HTTPError) as error:
            self.failure = str(error)
            if not self.supervisor.stopping:
                self.supervisor.console.print(f"[red]The first job: {escape(str(error))}[/]")


def summary(keys: dict[str, str], var: Path) -> Panel:
    """Where everything is."""
    url = keys["AITBC_URL"]
    lines = [
        f"[bold]{url}[/]   API · [bold]{url}/docs[/] documentation · [bold]{url}/admin/[/] operators",
        f"client key   {keys['AITBC_CLIENT_KEY']}",
        f"miner key    {keys['AITBC_MINER_KEY']}",
        f"operator key {keys['AITBC_OPERATOR_KEY']}",
        f"admin login  {keys['AITBC_ADMIN_USER']} / {keys['AITBC_ADMIN_PASSWORD']}",
        f"also in {var / 'dev.env'}. Ctrl-C stops everything.",
    ]
    return Panel("\n".join(lines), title="AITBC is running", title_align="left")
