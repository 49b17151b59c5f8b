"""Accounts, transfers and snapshots in the admin, read-only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.trading.models import BalanceSnapshot, LedgerAccount, Transfer


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnlyAdmin):
    list_display = ("id", "owner_id", "kind", "shard", "available", "held", "balance")
    list_filter = ("kind",)
    search_fields = ("=id", "=owner_id")


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin):
    list_display = ("seq", "id", "code", "phase", "amount", "ref", "actor", "reason", "at")
    list_filter = ("code", "phase")
    search_fields = ("=id", "=ref", "=group_id", "=debit__id", "=credit__id")
    ordering = ("-seq",)


@admin.register(BalanceSnapshot)
class BalanceSnapshotAdmin(ReadOnlyAdmin):
    list_display = ("day", "account", "posted_debits", "posted_credits", "pending_debits", "pending_credits")
    list_filter = ("day",)
    search_fields = ("=account__id", "=account__owner_id")
