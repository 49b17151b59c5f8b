"""Damage for audits to find."""

from __future__ import annotations

from django.db.models import Model

from aitbc.core.db import cursor


def sabotage(domain: type[Model], *statements: str) -> None:
    """Do what no program of ours can in the database of this model: triggers and foreign keys do not look."""
    with cursor(domain) as sql:
        sql.execute("SET CONSTRAINTS ALL IMMEDIATE")
        sql.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            sql.execute(statement)
        sql.execute("SET LOCAL session_replication_role = origin")
