"""`manage.py signing_key`: see and rotate the keys that receipts, blocks and checkpoints are signed with."""

from __future__ import annotations

import json
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from aitbc.core import signing


class Command(BaseCommand):
    help = (
        "See and rotate the exchange's signing keys (AITBC_KEYS_DIR/ring.json).\n\n"
        "Examples:\n"
        "  manage.py signing_key list\n"
        "  manage.py signing_key list --json    (what /.well-known/aitbc-keys.json says)\n"
        "  manage.py signing_key rotate         (the next block announces the new key, signed by both)\n"
    )
    requires_system_checks: list[str] = []

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["list", "rotate"])
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
            show()


def show() -> None:
    table = Table("key", "valid from", "until", "")
    present = signing.current().key_id
    for key in signing.published_keys()["keys"]:
        signs = "signs now" if key["key_id"] == present else ""
        table.add_row(key["key_id"], key["not_before"], key["not_after"] or "-", signs)
    Console().print(table)
