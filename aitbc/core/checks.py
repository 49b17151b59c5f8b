"""System checks: no relation leaves its database, required tables exist, money is whole."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, register
from django.db.models import FloatField, Model

from aitbc.core.routers import home
from aitbc.domains import LABELS

MONEY_WORDS = ("amount", "price", "fee", "balance", "rate", "paid", "refunded", "debits", "credits")


@register()
def no_relation_leaves_its_database(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A reference to another domain's row is a plain UUID column, never a foreign key."""
    return [
        Error(f"{model._meta.label}.{field.name} points into another database; use a UUID column", id="aitbc.E001")
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if field.is_relation and not field.auto_created and leaves(model, field.related_model)
    ]


def leaves(model: type[Model], related: Any) -> bool:
    """Whether the related model lives in another database (a generic relation has none)."""
    return related is not None and home(related._meta.app_label) != home(model._meta.app_label)


@register()
def every_domain_has_its_message_tables(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    missing = [
        f"{label}.{name}"
        for label in LABELS
        for name in ("Outbox", "Inbox")
        if name.lower() not in apps.all_models.get(label, {})
    ]
    return [Error(f"missing message table {name}", id="aitbc.E002") for name in missing]


@register()
def money_is_whole(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """No column that looks like money is a float."""
    return [
        Error(f"{model._meta.label}.{field.name} is a float; money is integer micro-AIT", id="aitbc.E003")
        for model in apps.get_models()
        if model._meta.app_label in LABELS
        for field in model._meta.get_fields()
        if isinstance(field, FloatField) and any(word in field.name.split("_") for word in MONEY_WORDS)
    ]
