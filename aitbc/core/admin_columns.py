"""What the admin shows of a row: amounts with their unit, ids as links to what they name, and links to what names it.

Domains have databases of their own, so most relations are plain ids. A link needs no query: the page it leads to looks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from aitbc.core import jsonb
from aitbc.core.cli.tables import AIT, labelled
from aitbc.core.fields import AmountField
from aitbc.core.money import format_amount
from aitbc.core.states import StatefulModel

log = logging.getLogger(__name__)

# What an id of this name is the id of, in whichever database.
NAMED = {
    "job_id": "ai.aijob",
    "miner_id": "gpu.miner",
    "booking_id": "marketplace.gpubooking",
    "receipt_id": "trading.receipt",
    "payment_id": "trading.payment",
    "hold_id": "trading.transfer",
    "work_id": "gpu.work",
    "class_id": "gpu.requirementclass",
    **dict.fromkeys(
        ("owner_id", "provider_id", "renter_id", "bidder_id", "rater_id", "beneficiary_id"), "accounts.organisation"
    ),
}
UNITS = {
    **dict.fromkeys(("rate", "price", "price_hour", "price_per_hour", "budget_hour", "reserve_hour"), "AIT/h"),
    **dict.fromkeys(("price_gpu_hour", "base_price", "floor", "ceiling"), "AIT per GPU and hour"),
    "price_storage_gb_month": "AIT per GB and month",
}
STYLE = "text-primary-600 underline dark:text-primary-500"
NOBODY = UUID(int=0)  # the exchange itself, as the owner of accounts


@dataclass(frozen=True)
class Related:
    """Rows of another model (`app.model`) whose column `by` holds this row's `own` value."""

    title: str
    model: str
    by: str
    own: str = "pk"

    def url(self, row: Model) -> str:
        """The list of those rows in the admin; empty where this row has no such value."""
        value = getattr(row, self.own)
        query = urlencode({f"{self.by}__exact": value})
        return "" if value in (None, "") else f"{reverse(page(self.model, 'changelist'))}?{query}"


def page(model: str, kind: str = "change") -> str:
    """The name of a page of the admin, for reverse()."""
    return f"admin:{model.replace('.', '_')}_{kind}"


def link_to(model: str, pk: Any, text: Any = "") -> str | SafeString:
    """A link to a row's page; just the text where there is none."""
    if pk in (None, "", NOBODY):
        return "" if pk in (None, "") else str(text or pk)
    return format_html('<a class="{}" href="{}">{}</a>', STYLE, reverse(page(model), args=[pk]), text or pk)


def amounts_of(model: type[Model]) -> set[str]:
    """The names of a model's amounts: columns in micro-AIT, and properties computed of them."""
    columns = {field.name for field in model._meta.fields if isinstance(field, AmountField)}
    return columns | {name for name in AIT if isinstance(getattr(model, name, None), property)}


def links_of(model: type[Model]) -> dict[str, str]:
    """The model that each of these columns names, by column: foreign keys, known ids, and the subject of a history."""
    found: dict[str, str] = {}
    for field in model._meta.concrete_fields:
        if field.related_model is not None:
            found |= dict.fromkeys((field.name, field.attname), field.related_model._meta.label_lower)  # type: ignore[union-attr]
        elif not field.primary_key and field.name in NAMED:
            found[field.name] = NAMED[field.name]
    if subject := subject_of(model):
        found["subject_id"] = subject
    return found


def subject_of(model: type[Model]) -> str:
    """The model whose history this is; empty where it is none."""
    models = apps.get_app_config(model._meta.app_label).get_models()
    stateful = (other for other in models if issubclass(other, StatefulModel) and hasattr(other, "HISTORY"))
    return next((other._meta.label_lower for other in stateful if other.history_model() is model), "")


def cautious(column: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The column, but what it cannot make of a row is logged: one row takes no page down."""

    @wraps(column)
    def shown(row: Any) -> Any:
        try:
            return column(row)
        except Exception:  # whatever is wrong with a row is its own affair; the audit names it
            log.exception("the admin cannot show a column of %s %s", type(row).__name__, row.pk)
            return "cannot be shown: not in the form that the exchange writes"

    return shown


def amount_column(name: str) -> Callable[[Any], str]:
    """A column of the admin: this amount of a row, in AIT, with its unit in the heading."""

    @admin.display(description=heading(name), ordering=name)
    def column(row: Any) -> str:
        micro = getattr(row, name)
        return "" if micro is None else format_amount(micro)

    return column


def heading(name: str) -> str:
    """The name of an amount and its unit."""
    text = labelled(name) if name not in UNITS else f"{name} ({UNITS[name]})"
    return (text if "(" in text else f"{text} (AIT)").replace("_", " ")


def json_in_ait(name: str, member: str) -> Callable[[Any], str]:
    """A column of the admin: a field of JSON whose member holds an amount, which is shown in AIT."""

    @cautious
    @admin.display(description=f"{name} ({member} in AIT)")
    def column(row: Any) -> str:
        value = getattr(row, name)
        amount = value.get(member)
        return jsonb.dumps(value if amount is None else value | {member: format_amount(amount)})

    return column


def link_column(name: str, target: str) -> Callable[[Any], str]:
    """A column of the admin: what this column of a row names, as a link."""

    @admin.display(description=labelled(name).replace("_", " "), ordering=name)
    def column(row: Any) -> str:
        value = getattr(row, name)
        return link_to(target, value.pk, value) if isinstance(value, Model) else link_to(target, value)

    return column


def related_links(row: Model, related: tuple[Related, ...]) -> SafeString:
    """Links to everything that names this row, each a list of the admin."""
    found = ((one.url(row), one.title) for one in related)
    return format_html_join(" · ", '<a class="{}" href="{}">{}</a>', [(STYLE, *one) for one in found if one[0]])
