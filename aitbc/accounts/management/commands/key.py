"""manage.py key create|list|revoke: the first keys are made beside the database, before any endpoint can be called."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from aitbc.accounts.models import ApiKey, User
from aitbc.accounts.scopes import Scope
from aitbc.accounts.services import keys, organisations
from aitbc.core.cli import tables
from aitbc.core.cli.arguments import DAYS, nonempty
from aitbc.core.cli.commands import ProjectCommand
from aitbc.core.cli.short_ids import only
from aitbc.core.cli.tables import SHORTEST, console

COLUMNS = ("prefix", "name", "owner", "scopes", "revoked_at", "expires_at", "last_used_at")

EXAMPLES = """\
  manage.py key create --owner alice --scope client --name laptop
  manage.py key create --owner farm-7 --scope miner --name rack-2 --days 90 --json
  manage.py key list --owner alice
  manage.py key revoke 3f2a9c01b7de --reason "laptop lost"
"""


class Command(ProjectCommand):
    help = "Make, list and revoke API keys."
    examples = EXAMPLES

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
        create = self.verb(verbs, "create", "make a key; its secret is printed once")
        create.add_argument(
            "--owner",
            type=nonempty,
            required=True,
            help="user or organisation; an unknown name becomes an organisation",
        )
        create.add_argument(
            "--scope", action="append", required=True, choices=Scope.values, dest="scopes", help="may repeat"
        )
        create.add_argument("--name", type=nonempty, default="key", help="what it is for")
        create.add_argument("--days", type=DAYS, help="days until it expires")
        listing = self.verb(verbs, "list", "show keys, without secrets")
        listing.add_argument("--owner", type=nonempty, help="only those of this organisation")
        listing.add_argument("--all", action="store_true", help="also revoked and expired ones")
        revoke = self.verb(verbs, "revoke", "end a key; within a second it opens nothing")
        revoke.add_argument("prefix", help="the part between the underscores, or at least eight characters of it")
        revoke.add_argument("--reason", type=nonempty, help="kept in the log")
        for verb in (create, listing, revoke):
            verb.add_argument("--json", action="store_true", help="machine-readable output")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        getattr(self, f"do_{verb}")(**options)

    def do_create(self, *, owner: str, scopes: list[str], name: str, days: int | None, **options: Any) -> None:
        expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
        person = User.objects.filter(username=owner).first()
        key, secret = keys.create(
            person or organisations.named(owner), scopes, name, expires_at=expires_at, actor="shell"
        )
        if options["json"]:
            self.stdout.write(json.dumps({**shown(key), "key": secret}))
            return
        self.stdout.write(secret)
        self.stderr.write(f"owner {key.organisation} ({key.organisation_id}); the key is not shown again")

    def do_list(self, *, owner: str | None, all: bool, **options: Any) -> None:
        rows = ApiKey.objects.select_related("organisation")
        rows = rows if all else rows.live()
        rows = rows.filter(organisation__name=owner) if owner else rows
        if options["json"]:
            self.stdout.write(json.dumps([shown(key) for key in rows]))
            return
        console(self.stdout).print(tables.rows("Keys", map(shown, rows), COLUMNS))

    def do_revoke(self, *, prefix: str, reason: str | None, **options: Any) -> None:
        prefix = whole_prefix(prefix)
        if not keys.revoke(prefix=prefix, actor="shell", reason=reason or ""):
            raise CommandError("No live key has this prefix.")
        self.stdout.write(json.dumps({"revoked": prefix}) if options["json"] else f"revoked {prefix}")


def whole_prefix(text: str) -> str:
    """The prefix of the only live key whose prefix begins so. Raises UsageError when there are several."""
    found = set(ApiKey.objects.live().filter(prefix__startswith=text).values_list("prefix", flat=True))
    return only(found, "live key", text) if len(text) >= SHORTEST and text not in found else text


def shown(key: ApiKey) -> dict[str, Any]:
    """A key without its secret."""
    return {
        "id": str(key.pk),
        "prefix": key.prefix,
        "name": key.name,
        "owner": key.organisation.name,
        "owner_id": str(key.organisation_id),
        "scopes": key.scopes,
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
        "last_used_at": key.last_used_at.isoformat() if key.last_used_at else None,
    }
