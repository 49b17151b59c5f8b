"""`manage.py bootstrap`: what a first start needs: databases, an administrator, one key of each kind in var/dev.env."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandParser

from aitbc.accounts.errors import KeyInvalid
from aitbc.accounts.services import keys, organisations, users
from aitbc.core.cli.commands import ProjectCommand
from aitbc.embedded.supervisor import read_env

ADMIN = "admin"
#: variable → (owner, scopes)
KEYS = {
    "AITBC_CLIENT_KEY": ("demo-client", ("client", "trader", "voter", "publisher")),
    "AITBC_MINER_KEY": ("demo-miner", ("miner",)),
    "AITBC_OPERATOR_KEY": ("operator", ("operator", "read")),
}


def still_valid(secret: str) -> bool:
    try:
        keys.verify(secret)
    except KeyInvalid:
        return False
    return True


class Command(ProjectCommand):
    """Make sure that the databases, an administrator and a key of each kind exist, and write the keys down.

    What var/dev.env holds and still works is kept. The file is readable by its owner only.
    """

    help = __doc__
    examples = "  manage.py bootstrap --url http://127.0.0.1:8080\n"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default="", help="the address written as AITBC_URL; the one found there is kept")

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        call_command("migrate_all", verbosity=0)
        path = Path(settings.VAR_DIR) / "dev.env"
        found = read_env(path)
        found["AITBC_URL"] = url or found.get("AITBC_URL", settings.PUBLIC_URL)
        found.setdefault("AITBC_ADMIN_USER", ADMIN)
        found.setdefault("AITBC_ADMIN_PASSWORD", secrets.token_urlsafe(12))
        users.ensure_admin(username=found["AITBC_ADMIN_USER"], password=found["AITBC_ADMIN_PASSWORD"])
        for name, (owner, scopes) in KEYS.items():
            if not still_valid(found.get(name, "")):
                _, found[name] = keys.create(organisations.named(owner), scopes, "made by bootstrap")
        self.write(path, found)
        self.stdout.write(f"keys are in {path}")

    def write(self, path: Path, values: dict[str, str]) -> None:
        fresh = path.with_suffix(".new")
        handle = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.writelines(f"export {name}={value}\n" for name, value in values.items())
        fresh.replace(path)
