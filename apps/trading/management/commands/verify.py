"""`manage.py verify`: check a receipt's bundle offline, with the same file that is handed out to everybody."""

from __future__ import annotations

import sys
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.trading.verifier import verify_receipt


class Command(BaseCommand):
    help = (
        "Check a receipt's bundle offline; exits 0 when everything in it holds.\n\n"
        "Examples:\n"
        "  curl -s $AITBC_URL/trading/receipts/<id>/bundle > bundle.json\n  manage.py verify bundle.json\n"
        "  curl -s $AITBC_URL/.well-known/aitbc-keys.json > keys.json\n"
        "  manage.py verify bundle.json --keys keys.json\n"
    )
    requires_system_checks: list[str] = []

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("bundle", help="what GET /trading/receipts/{id}/bundle answered, as a file")
        parser.add_argument("--keys", help="the exchange's /.well-known/aitbc-keys.json, as a file")

    def handle(self, *args: Any, bundle: str, keys: str | None, **options: Any) -> None:
        status = verify_receipt.run(bundle, keys, self.stdout.write)
        if status:
            sys.exit(status)
