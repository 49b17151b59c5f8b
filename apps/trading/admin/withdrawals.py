"""Withdrawals in the admin: readable; decisions go through the services, with a reason."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aitbc.core.admin import ReadOnlyAdmin, Related
from apps.trading.admin.operators import DecidingAdmin
from apps.trading.models import Withdrawal, WithdrawalEvent
from apps.trading.services import withdrawals


@admin.register(Withdrawal)
class WithdrawalAdmin(DecidingAdmin):
    list_display = ("id", "state", "amount", "owner_id", "destination", "two_person", "due_at", "created_at")
    list_filter = ("state", "two_person")
    search_fields = ("=id", "=owner_id", "external_reference")
    ordering = ("-id",)
    actions = ("approve", "reject", "pay")
    related = (
        Related("history", "trading.withdrawalevent", "subject_id"),
        Related("transfers", "trading.transfer", "ref"),
    )

    @admin.action(description="Approve, with a reason", permissions=["act"])
    def approve(self, request: HttpRequest, rows: QuerySet[Withdrawal]) -> HttpResponse | None:
        effect = (
            "Each may now be paid outside, and its owner cannot cancel it any more; above ledger.two_person_above it "
            "takes a second user."
        )
        return self.decide(
            request, rows, ("approve", "Approve withdrawals", effect),
            lambda row, operator, reason: withdrawals.approve(row=row, operator=operator, reason=reason),
        )  # fmt: skip

    @admin.action(description="Reject, with a reason", permissions=["act"])
    def reject(self, request: HttpRequest, rows: QuerySet[Withdrawal]) -> HttpResponse | None:
        effect = "The money of each is free again, and its owner sees the reason. Not for one that was paid outside."
        return self.decide(
            request, rows, ("reject", "Reject withdrawals", effect),
            lambda row, operator, reason: withdrawals.reject(row=row, operator=operator, reason=reason),
        )  # fmt: skip

    @admin.action(description="Paid outside, with that payment's reference as the reason", permissions=["act"])
    def pay(self, request: HttpRequest, rows: QuerySet[Withdrawal]) -> HttpResponse | None:
        effect = "The money leaves the exchange's books. Give the reference of the payment outside; one pays one."
        return self.decide(
            request, rows, ("pay", "Mark as paid", effect),
            lambda row, operator, reason: withdrawals.pay(
                row=row, operator=operator, external_reference=reason[:200]
            ),
        )  # fmt: skip


@admin.register(WithdrawalEvent)
class WithdrawalEventAdmin(ReadOnlyAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    search_fields = ("=subject_id",)
