"""Reversals in the admin: readable; the second operator decides through the service."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aitbc.core.admin import ReadOnlyAdmin, Related
from apps.trading.admin.operators import DecidingAdmin
from apps.trading.models import Reversal, ReversalEvent
from apps.trading.services import reversals


@admin.register(Reversal)
class ReversalAdmin(DecidingAdmin):
    list_display = ("id", "state", "amount", "transfer", "reason", "two_person", "due_at", "created_at")
    list_filter = ("state", "two_person")
    list_select_related = ("transfer",)
    search_fields = ("=id", "=transfer__id", "=reversal_id")
    ordering = ("-id",)
    actions = ("approve", "reject")
    related = (
        Related("history", "trading.reversalevent", "subject_id"),
        Related("transfer that reverses", "trading.transfer", "id", own="reversal_id"),
    )

    @admin.action(description="Approve as the second operator, with a reason", permissions=["act"])
    def approve(self, request: HttpRequest, rows: QuerySet[Reversal]) -> HttpResponse | None:
        effect = "The money of each goes back where it came from, by a new transfer. This cannot be undone."
        words = ("approve", "Approve reversals", effect)
        return self.decide(request, rows, words, lambda row, operator, _: reversals.approve(row=row, operator=operator))

    @admin.action(description="Reject, with a reason", permissions=["act"])
    def reject(self, request: HttpRequest, rows: QuerySet[Reversal]) -> HttpResponse | None:
        words = ("reject", "Reject reversals", "Each proposal ends; no money moves.")
        return self.decide(
            request, rows, words,
            lambda row, operator, reason: reversals.reject(row=row, operator=operator, reason=reason),
        )  # fmt: skip


@admin.register(ReversalEvent)
class ReversalEventAdmin(ReadOnlyAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    search_fields = ("=subject_id",)
