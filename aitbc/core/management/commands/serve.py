"""`manage.py serve`: replace this process by the web server."""

from __future__ import annotations

import os
import sysconfig
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings

from aitbc import domains
from aitbc.core.cli import ports, program
from aitbc.core.cli.arguments import PORT, whole
from aitbc.core.cli.commands import ProjectCommand
from aitbc.core.cli.errors import Failure

GRACE_SECONDS = 40
QUEUED = 4096


def default_port() -> int:
    """Return the port of the only domain served here (AITBC_SERVICES=gpu), otherwise the gateway's."""
    served = domains.served(settings.AITBC_SERVICES)
    return served[0].port if len(served) == 1 else domains.GATEWAY_PORT


class Command(ProjectCommand):
    """Serve the exchange on one port: ordinary requests, long polls and event streams (docs/server.md)."""

    help = "Run the web server. AITBC_SERVICES=gpu serves one domain alone, on that service's own port."
    examples = "  manage.py serve --port 8080 --workers 2\n  AITBC_SERVICES=gpu manage.py serve\n"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=PORT, help="default: 8080, or the service's own port when it is alone")
        parser.add_argument("--workers", type=whole(1, 256), default=2, help="processes, about one a core (default 2)")

    def handle(self, *, host: str, port: int | None, workers: int, **_: Any) -> None:
        port = port or default_port()
        if reason := ports.refusal(host, port):  # granian would say so in a traceback of each worker, again and again
            advice = f"Stop what listens there, or choose another port: {program.line('serve')} --port {port + 1}"
            raise Failure(f"Port {port} of {host} cannot be listened on: {reason}. {advice}", code="port_in_use")
        server = Path(sysconfig.get_path("scripts")) / "granian"
        os.execv(server, [str(server), *flags(host, port, workers)])


def flags(host: str, port: int, workers: int) -> list[str]:
    """Granian's options. Its back-pressure default (backlog over workers) would starve requests behind parked polls."""
    options = {
        "--interface": "asgi",
        "--host": host,
        "--port": port,
        "--workers": workers,
        "--backlog": QUEUED,
        "--backpressure": QUEUED,
        "--workers-kill-timeout": GRACE_SECONDS,
    }
    pairs = [str(part) for pair in options.items() for part in pair]
    return [*pairs, "--respawn-failed-workers", "--no-ws", "aitbc.asgi:app"]
