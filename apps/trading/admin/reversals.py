"""Reversals in the admin: readable; the second operator's approval goes through the service."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from aitbc.core.admin import ReadOnlyAdmin
from aitbc.core.errors import DomainError
from apps.trading.admin.operators import operator_of
from apps.trading.models import Reversal, ReversalEvent
from apps.trading.services import reversals


@admin.register(Reversal)
class ReversalAdmin(ReadOnlyAdmin):
    list_display = ("id", "state", "amount", "transfer", "reason", "two_person", "due_at", "created_at")
    list_filter = ("state", "two_person")
    list_select_related = ("transfer",)
    search_fields = ("=id", "=transfer__id", "=reversal_id")
    ordering = ("-id",)
    exclude = ("copied",)
    actions = ("approve",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("trading.change_reversal"))

    @admin.action(description="Approve as the second operator", permissions=["operate"])
    def approve(self, request: HttpRequest, rows: QuerySet[Reversal]) -> None:
        for row in rows:
            try:
                reversals.approve(row=row, operator=operator_of(request))
            except DomainError as error:
                self.message_user(request, f"{row}: {error.detail}", messages.WARNING)
            else:
                self.message_user(request, f"{row}: posted", messages.SUCCESS)


@admin.register(ReversalEvent)
class ReversalEventAdmin(ReadOnlyAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    search_fields = ("=subject_id",)
