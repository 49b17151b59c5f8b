"""Damaging rows behind the guards' back, so that audits have something to find."""

from __future__ import annotations

from django.db.models import Model

from aitbc.core.db import cursor


def sabotage(domain: type[Model], *statements: str) -> None:
    """Run statements in the database of this model with triggers and foreign keys switched off."""
    with cursor(domain) as sql:
        sql.execute("SET CONSTRAINTS ALL IMMEDIATE")
        sql.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            sql.execute(statement)
        sql.execute("SET LOCAL session_replication_role = origin")
