"""`manage.py signing_key`: see and rotate the keys that receipts, blocks and checkpoints are signed with."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from aitbc.core import signing
from aitbc.core.cli.commands import ProjectCommand
from aitbc.core.cli.tables import console, rows

EXAMPLES = """\
  manage.py signing_key list
  manage.py signing_key list --json    what /.well-known/aitbc-keys.json says
  manage.py signing_key rotate         the next block announces the new key, signed by both
"""


class Command(ProjectCommand):
    help = "See and rotate the exchange's signing keys (AITBC_KEYS_DIR/ring.json)."
    examples = EXAMPLES
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["list", "rotate"], help="show the keys, or begin a new one")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, action: str, as_json: bool, **options: Any) -> None:
        if action == "rotate":
            try:
                signing.rotate()
            except RuntimeError as error:
                raise CommandError(str(error)) from error
        if as_json:
            self.stdout.write(json.dumps(signing.published_keys(), indent=2))
        else:
            present = signing.current().key_id
            keys = [{**key, "signs": key["key_id"] == present} for key in signing.published_keys()["keys"]]
            console(self.stdout).print(rows("Signing keys", keys, ("key_id", "not_before", "not_after", "signs")))
