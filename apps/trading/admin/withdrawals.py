"""Withdrawals in the admin: readable; decisions go through the services, with a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aitbc.core.admin import ReadOnlyAdmin, with_reason
from aitbc.core.errors import DomainError
from apps.trading.admin.operators import operator_of
from apps.trading.models import Withdrawal, WithdrawalEvent
from apps.trading.services import withdrawals


@admin.register(Withdrawal)
class WithdrawalAdmin(ReadOnlyAdmin):
    list_display = ("id", "state", "amount", "owner_id", "destination", "two_person", "due_at", "created_at")
    list_filter = ("state", "two_person")
    search_fields = ("=id", "=owner_id", "external_reference")
    ordering = ("-id",)
    exclude = ("copied",)
    actions = ("approve", "reject", "pay")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("trading.change_withdrawal"))

    @admin.action(description="Approve, with a reason", permissions=["operate"])
    def approve(self, request: HttpRequest, rows: QuerySet[Withdrawal]) -> HttpResponse | None:
        def act(row: Withdrawal, reason: str) -> None:
            withdrawals.approve(row=row, operator=operator_of(request), reason=reason[:300])

        return self._each(request, rows, "approve", "Approve withdrawals", act)

    @admin.action(description="Reject, with a reason", permissions=["operate"])
    def reject(self, request: HttpRequest, rows: QuerySet[Withdrawal]) -> HttpResponse | None:
        def act(row: Withdrawal, reason: str) -> None:
            withdrawals.reject(row=row, operator=operator_of(request), reason=reason)

        return self._each(request, rows, "reject", "Reject withdrawals", act)

    @admin.action(description="Paid outside, with that payment's reference as the reason", permissions=["operate"])
    def pay(self, request: HttpRequest, rows: QuerySet[Withdrawal]) -> HttpResponse | None:
        def act(row: Withdrawal, reason: str) -> None:
            withdrawals.pay(row=row, operator=operator_of(request), external_reference=reason[:200])

        return self._each(request, rows, "pay", "Mark as paid: the reason is the payment's reference", act)

    def _each(
        self,
        request: HttpRequest,
        rows: QuerySet[Withdrawal],
        action: str,
        title: str,
        decide: Callable[[Withdrawal, str], None],
    ) -> HttpResponse | None:
        """Ask for a reason, then decide about each; one that is refused is reported and stops no other."""

        def act(chosen: QuerySet[Any], reason: str) -> int:
            return sum(self._decided(request, row, reason, decide) for row in chosen)

        return with_reason(self, request, rows, action=action, title=title, act=act)

    def _decided(
        self, request: HttpRequest, row: Withdrawal, reason: str, decide: Callable[[Withdrawal, str], None]
    ) -> bool:
        try:
            decide(row, reason)
        except DomainError as error:
            self.message_user(request, f"{row}: {error.detail}", messages.WARNING)
            return False
        return True


@admin.register(WithdrawalEvent)
class WithdrawalEventAdmin(ReadOnlyAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    search_fields = ("=subject_id",)
