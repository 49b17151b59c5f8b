"""`manage.py verify`: check a receipt's bundle offline, with the stand-alone verifier."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from aitbc.core.cli.commands import ProjectCommand
from apps.trading.verifier import verify_receipt

EXAMPLES = """\
  curl -s $AITBC_URL/trading/receipts/<id>/bundle > bundle.json
  manage.py verify bundle.json
  curl -s $AITBC_URL/.well-known/aitbc-keys.json > keys.json
  manage.py verify bundle.json --keys keys.json
"""


class Command(ProjectCommand):
    help = "Check a receipt's bundle offline; exits 0 when everything in it holds."
    examples = EXAMPLES
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("bundle", type=Path, help="what GET /trading/receipts/{id}/bundle answered, as a file")
        parser.add_argument("--keys", type=Path, help="the exchange's /.well-known/aitbc-keys.json, as a file")

    def handle(self, *args: Any, bundle: Path, keys: Path | None, **options: Any) -> None:
        status = verify_receipt.run(str(bundle), str(keys) if keys else None, self.stdout.write)
        if status:
            sys.exit(status)
