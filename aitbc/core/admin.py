"""Base classes of the admin: everything is readable, changes go through services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin

from aitbc.core.admin_actions import Act, with_reason
from aitbc.core.admin_columns import (
    Related,
    amount_column,
    amounts_of,
    cautious,
    json_in_ait,
    link_column,
    links_of,
    related_links,
)
from aitbc.core.messaging import relay
from aitbc.domains import LABELS

__all__ = [
    "Act",
    "ActionsOnRows",
    "DomainAdmin",
    "OutboxAdmin",
    "ReadOnlyAdmin",
    "Related",
    "json_in_ait",
    "with_reason",
]


class ActionsOnRows(ModelAdmin):
    """An admin page whose actions refuse what is no id of a row, as a tampered form sends it."""

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> HttpResponse | None:
        """Show the list again with the reason, or do as Django does."""
        try:
            for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.clean(chosen, None)
        except ValidationError:
            messages.error(request, "The form names something that is no row of this list; nothing was done.")
            return HttpResponseRedirect(request.get_full_path())
        response: HttpResponse | None = super().response_action(request, queryset, *args)
        return response


class DomainAdmin(ActionsOnRows):
    """A model of a domain: the router sends every query to the domain's own database.

    Amounts and ids are shown by columns of admin_columns.py; `related` says what else names a row.
    """

    list_per_page = 50
    show_full_result_count = False
    actions_on_top = True
    related: ClassVar[tuple[Related, ...]] = ()

    def __init__(self, model: type[Model], admin_site: Any) -> None:
        super().__init__(model, admin_site)
        self.shown: dict[str, str] = {}
        for name in amounts_of(model):
            self.shown[name] = f"{name}_ait"
            setattr(self, self.shown[name], amount_column(name))
        for name, target in links_of(model).items():
            self.shown[name] = f"{name}_link"
            setattr(self, self.shown[name], link_column(name, target))
        for name in (*self.list_display, *self.readonly_fields):
            if isinstance(name, str) and hasattr(type(self), name):
                setattr(self, name, cautious(getattr(self, name)))

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        return self.as_shown(super().get_list_display(request))

    def get_list_display_links(self, request: HttpRequest, list_display: Sequence[Any]) -> Sequence[Any] | None:
        """The first column that links to nothing else links to the row itself."""
        elsewhere = {f"{name}_link" for name in links_of(self.model)}
        return [next((name for name in list_display if name not in elsewhere), list_display[0])]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[Any]:
        return list(dict.fromkeys(self.as_shown(super().get_fields(request, obj))))

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[Any]:
        own = [*super().get_readonly_fields(request, obj), *self.columns(), *(["elsewhere"] if self.related else [])]
        return list(dict.fromkeys(self.as_shown(own)))

    def columns(self) -> list[str]:
        """What is shown by a column of ours: fields that would be in the form, and properties."""
        hidden = {field.name for field in self.opts.concrete_fields if not field.editable} | set(self.exclude or ())
        hidden |= {field.attname for field in self.opts.concrete_fields if field.attname != field.name}
        return [name for name in self.shown if name not in hidden]

    def as_shown(self, names: Sequence[Any]) -> list[Any]:
        """The columns that show these, in their places."""
        return [self.shown.get(name, name) for name in names]

    @admin.display(description="elsewhere")
    def elsewhere(self, row: Model) -> str:
        return related_links(row, self.related)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # rows end by a service, which knows what depends on them


class ReadOnlyAdmin(DomainAdmin):
    """Something to look at: money, leases, receipts, histories."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


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
        def run(chosen: QuerySet[Any], reason: str) -> int:
            done = relay.drop(self.opts.app_label, _ids(chosen), actor=f"user:{request.user}", reason=reason)
            self.log_each(request, chosen, f"dropped: {reason}")
            return done

        effect = "Each message is given up: its consumer never receives it, and what waits behind it is delivered."
        return with_reason(self, request, queryset, Act("drop", "Drop messages", effect, run))

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
