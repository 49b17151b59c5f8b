"""Accounts, transfers and snapshots in the admin, read-only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aitbc.core.admin import ReadOnlyAdmin, Related
from apps.trading.admin.operators import DecidingAdmin
from apps.trading.models import BalanceSnapshot, LedgerAccount, Transfer
from apps.trading.services import reversals


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnlyAdmin):
    list_display = ("id", "owner_id", "kind", "shard", "available", "held", "balance")
    list_filter = ("kind",)
    search_fields = ("=id", "=owner_id")
    related = (
        Related("transfers out", "trading.transfer", "debit_id"),
        Related("transfers in", "trading.transfer", "credit_id"),
        Related("snapshots", "trading.balancesnapshot", "account_id"),
    )


@admin.register(Transfer)
class TransferAdmin(DecidingAdmin):
    list_display = ("seq", "id", "code", "phase", "amount", "ref", "actor", "reason", "at")
    list_filter = ("code", "phase")
    search_fields = ("=id", "=ref", "=group_id", "=debit__id", "=credit__id")
    ordering = ("-seq",)
    related = (
        Related("job", "ai.aijob", "id", own="ref"), Related("booking", "marketplace.gpubooking", "id", own="ref"),
        Related("payment", "trading.payment", "job_id", own="ref"),
        Related("escrow", "trading.escrow", "booking_id", own="ref"),
        Related("others of the group", "trading.transfer", "group_id", own="group_id"),
        Related("reversals", "trading.reversal", "transfer_id"),
    )  # fmt: skip
    actions = ("reverse",)

    def has_act_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("trading.add_reversal"))

    @admin.action(description="Reverse, with a reason", permissions=["act"])
    def reverse(self, request: HttpRequest, rows: QuerySet[Transfer]) -> HttpResponse | None:
        effect = (
            "The money of each deposit goes back by a new transfer, as far as the owner still has it; above "
            "ledger.two_person_above it waits for a second user. This cannot be undone."
        )
        words = ("reverse", "Reverse transfers", effect)
        return self.decide(
            request, rows, words,
            lambda row, operator, reason: reversals.reverse(transfer_id=row.pk, operator=operator, reason=reason),
        )  # fmt: skip


@admin.register(BalanceSnapshot)
class BalanceSnapshotAdmin(ReadOnlyAdmin):
    list_display = ("day", "account", "posted_debits", "posted_credits", "pending_debits", "pending_credits")
    list_filter = ("day",)
    search_fields = ("=account__id", "=account__owner_id")
