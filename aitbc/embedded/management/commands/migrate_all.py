"""`manage.py migrate_all`: create and migrate every domain's database, in one process."""

from __future__ import annotations

from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from psycopg import sql

from aitbc.core.cli.commands import ProjectCommand
from aitbc.domains import LABELS

# `default` first: it creates the content types and permissions of new domain models.
ALIASES = ("default", *LABELS)


def create_if_missing(alias: str) -> bool:
    """Create an alias's database, when its server does not have it; returns whether it did."""
    config = settings.DATABASES[alias]
    place = {"host": config["HOST"], "port": config["PORT"], "user": config["USER"], "password": config["PASSWORD"]}
    target = {name: value for name, value in place.items() if value}
    with psycopg.connect(**target, dbname="postgres", autocommit=True, connect_timeout=5) as connection:
        name = config["NAME"]
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return False
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return True


class Command(ProjectCommand):
    """Create the databases that are missing and bring all of them up to date."""

    help = __doc__
    examples = "  manage.py migrate_all\n  manage.py migrate_all --verbosity 2\n"
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        made = [alias for alias in ALIASES if create_if_missing(alias)]
        if made:
            self.stdout.write(f"created the databases of {', '.join(made)}")
        quiet: dict[str, Any] = {"verbosity": max(0, options["verbosity"] - 1), "interactive": False}
        for alias in ALIASES:
            # A domain's database holds its own app alone: the others' migrations would be recorded there for nothing.
            call_command("migrate", *([] if alias == "default" else [alias]), database=alias, **quiet)
        self.stdout.write(f"{len(ALIASES)} databases are up to date")
