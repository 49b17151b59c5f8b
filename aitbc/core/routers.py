"""Each domain's models live in its own database; everything else lives in `default`."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from aitbc.domains import LABELS


def home(app_label: str) -> str:
    return app_label if app_label in LABELS else "default"


class DomainRouter:
    """Alias = app label for the domains; `default` for auth, sessions, accounts."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return home(model._meta.app_label)

    db_for_write = db_for_read

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return home(one._meta.app_label) == home(other._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == home(app_label)
