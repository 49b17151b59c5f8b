"""Base classes of the admin: everything is readable, changes go through services."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from aitbc.core.cli.tables import AIT, labelled
from aitbc.core.fields import AmountField
from aitbc.core.messaging import relay
from aitbc.core.money import format_amount
from aitbc.domains import LABELS


class DomainAdmin(ModelAdmin):
    """A model of a domain: the router sends every query to the domain's own database."""

    list_per_page = 50
    show_full_result_count = False
    actions_on_top = True

    def __init__(self, model: type[Model], admin_site: Any) -> None:
        """Money is shown in AIT, not as the whole number of micro-AIT that the column holds."""
        super().__init__(model, admin_site)
        self.amounts = {field.name for field in model._meta.fields if isinstance(field, AmountField)}
        self.amounts |= {name for name in AIT if isinstance(getattr(model, name, None), property)}
        for name in self.amounts:
            setattr(self, f"{name}_ait", in_ait(name))

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        return self.with_units(super().get_list_display(request))

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[Any]:
        return self.with_units(super().get_fields(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[Any]:
        return [*super().get_readonly_fields(request, obj), *(f"{name}_ait" for name in sorted(self.amounts))]

    def with_units(self, names: Sequence[Any]) -> list[Any]:
        return [f"{name}_ait" if name in self.amounts else name for name in names]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # rows end by a service, which knows what depends on them


class ReadOnlyAdmin(DomainAdmin):
    """Something to look at: money, leases, receipts, histories."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def in_ait(name: str) -> Callable[[Any], str]:
    """A column of the admin: this amount of a row, in AIT."""

    @admin.display(description=labelled(name).replace("_", " "), ordering=name)
    def column(row: Any) -> str:
        micro = getattr(row, name)
        return "" if micro is None else format_amount(micro)

    return column


def json_in_ait(name: str, member: str) -> Callable[[Any], str]:
    """A column of the admin: a column of JSON whose member holds an amount, which is shown in AIT."""

    @admin.display(description=f"{name} ({member} in AIT)")
    def column(row: Any) -> str:
        value = getattr(row, name)
        amount = value.get(member)
        return orjson.dumps(value if amount is None else value | {member: format_amount(amount)}).decode()

    return column


class ReasonForm(forms.Form):
    """Why: every privileged act is written down with its reason."""

    reason = forms.CharField(
        max_length=500, label="Reason", widget=forms.TextInput(attrs={"autofocus": True, "size": 60})
    )


def with_reason(
    modeladmin: ModelAdmin,
    request: HttpRequest,
    queryset: QuerySet[Any],
    *,
    action: str,
    title: str,
    act: Callable[[QuerySet[Any], str], int],
) -> HttpResponse | None:
    """Ask for a reason on a page of its own, then act; for admin actions that are privileged."""
    form = ReasonForm(request.POST if "apply" in request.POST else None)
    if form.is_valid():
        done = act(queryset, form.cleaned_data["reason"])
        messages.success(request, f"{title}: {done}")
        return None
    context = {
        **modeladmin.admin_site.each_context(request),
        "title": title,
        "form": form,
        "action": action,
        "chosen": queryset,
        "opts": modeladmin.model._meta,
    }
    return TemplateResponse(request, "admin/reason.html", context)


class OutboxAdmin(ReadOnlyAdmin):
    """Messages on their way to other domains; dead letters are redelivered or dropped here, never edited."""

    list_display = ("name", "key", "consumer", "attempts", "due_at", "last_error")
    list_filter = ("consumer", "name")
    search_fields = ("key", "message_id")
    ordering = ("due_at", "id")
    actions = ("redeliver", "drop")

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        """Redelivering and dropping are changes, though no form may make them."""
        opts = self.opts
        return bool(request.user.has_perm(f"{opts.app_label}.change_{opts.model_name}"))

    @admin.action(description="Redeliver now", permissions=["redeliver"])
    def redeliver(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        done = relay.redeliver(self.opts.app_label, _ids(queryset))
        self.log_each(request, queryset, "redelivered")
        messages.success(request, ngettext("%d message is due now.", "%d messages are due now.", done) % done)

    @admin.action(description="Drop, with a reason", permissions=["redeliver"])
    def drop(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        def act(chosen: QuerySet[Any], reason: str) -> int:
            done = relay.drop(self.opts.app_label, _ids(chosen), actor=f"user:{request.user}", reason=reason)
            self.log_each(request, chosen, f"dropped: {reason}")
            return done

        return with_reason(self, request, queryset, action="drop", title="Drop messages", act=act)

    def log_each(self, request: HttpRequest, queryset: QuerySet[Any], what: str) -> None:
        for row in queryset:
            self.log_change(request, row, what)


def _ids(queryset: QuerySet[Any]) -> list[int]:
    return list(queryset.values_list("pk", flat=True))


def show_outboxes() -> None:
    """Give every domain's outbox its page, later domains' too; called when all admin modules are loaded."""
    for label in LABELS:
        outbox = apps.get_model(label, "Outbox")
        if not admin.site.is_registered(outbox):
            admin.site.register(outbox, OutboxAdmin)
