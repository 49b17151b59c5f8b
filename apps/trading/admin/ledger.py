"""Accounts, transfers and snapshots in the admin, read-only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin, Related
from apps.trading.models import BalanceSnapshot, LedgerAccount, Transfer


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
class TransferAdmin(ReadOnlyAdmin):
    list_display = ("seq", "id", "code", "phase", "amount", "ref", "actor", "reason", "at")
    list_filter = ("code", "phase")
    search_fields = ("=id", "=ref", "=group_id", "=debit__id", "=credit__id")
    ordering = ("-seq",)
    related = (
        Related("job", "ai.aijob", "id", own="ref"), Related("booking", "marketplace.gpubooking", "id", own="ref"),
        Related("payment", "trading.payment", "job_id", own="ref"),
        Related("escrow", "trading.escrow", "booking_id", own="ref"),
        Related("others of the group", "trading.transfer", "group_id", own="group_id"),
    )  # fmt: skip


@admin.register(BalanceSnapshot)
class BalanceSnapshotAdmin(ReadOnlyAdmin):
    list_display = ("day", "account", "posted_debits", "posted_credits", "pending_debits", "pending_credits")
    list_filter = ("day",)
    search_fields = ("=account__id", "=account__owner_id")
