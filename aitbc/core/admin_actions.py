"""Privileged actions of the admin: a page that says on what they act and what that does, and asks for the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from aitbc.core.admin_columns import amounts_of, heading, link_to, links_of
from aitbc.core.money import format_amount

PARTIES = ("accounts.organisation", "trading.ledgeraccount")  # whose the money is
LISTED = 100  # rows that the page names; of more it says how many


@dataclass(frozen=True)
class Act:
    """A privileged action: its name in the form, what it is called, what it does to each row, and who does it.

    `run` acts on the chosen rows for a reason and returns how many it changed.
    """

    name: str
    title: str
    effect: str
    run: Callable[[QuerySet[Any], str], int]


class ReasonForm(forms.Form):
    """Why: every privileged act is written down with its reason."""

    reason = forms.CharField(
        max_length=500,
        label="Reason",
        help_text="Kept with your name in the history of each row.",
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
    )


def with_reason(modeladmin: ModelAdmin, request: HttpRequest, rows: QuerySet[Any], act: Act) -> HttpResponse | None:
    """Ask for a reason on a page of its own, then act; None once that is done, for the list to be shown again."""
    form = ReasonForm(request.POST if "apply" in request.POST else None)
    if form.is_valid():
        chosen = rows.count()
        done = act.run(rows, form.cleaned_data["reason"])
        show = messages.success if done == chosen else messages.warning
        show(request, f"{act.title}: {done}" + (f" of {chosen}" if done < chosen else ""))
        return None
    count = rows.count()
    context = {
        **modeladmin.admin_site.each_context(request),
        "title": act.title,
        "act": act,
        "form": form,
        "opts": modeladmin.opts,
        "count": count,
        "noun": modeladmin.opts.verbose_name if count == 1 else modeladmin.opts.verbose_name_plural,
        "listed": [Listed.of(row) for row in rows[:LISTED]],
        "more": max(0, count - LISTED),
        "keys": rows.values_list("pk", flat=True)[:LISTED] if across(request) else [row.pk for row in rows],
        "across": across(request),
        "back": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/reason.html", context)


def across(request: HttpRequest) -> bool:
    """Whether all rows of the list are meant, not only those of its page."""
    return request.POST.get("select_across") == "1"


@dataclass(frozen=True)
class Listed:
    """A row as the page shows it: a link to it, its amounts, whose they are, and its state if it has one."""

    link: str
    details: list[str]
    state: str

    @classmethod
    def of(cls, row: Model) -> Listed:
        amounts = {name: getattr(row, name) for name in sorted(amounts_of(type(row)))}
        details = [f"{heading(name)}: {format_amount(micro)}" for name, micro in amounts.items() if micro]
        links = links_of(type(row))
        parties = [field.name for field in row._meta.concrete_fields if links.get(field.name) in PARTIES]
        details += [f"{_title(name)}: {getattr(row, name)}" for name in parties if getattr(row, name)]
        return cls(link_to(row._meta.label_lower, row.pk, row), details, str(getattr(row, "state", "")))


def _title(name: str) -> str:
    return name.removesuffix("_id").replace("_", " ")
