"""Receipts and the log in the admin: to be looked at, never edited."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.trading.models import Block, LogEntry, Receipt


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ("id", "job_id", "client_alias", "miner_id", "issued_at", "leaf")
    search_fields = ("=id", "=job_id", "=owner_id", "=miner_id", "=client_alias", "=leaf")


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    list_display = ("idx", "kind", "leaf_hash", "created_at")
    list_filter = ("kind",)
    search_fields = ("=leaf_hash",)
    exclude = ("leaf",)
    readonly_fields = ("says",)

    @admin.display(description="leaf")
    def says(self, entry: LogEntry) -> str:
        return bytes(entry.leaf).decode()


@admin.register(Block)
class BlockAdmin(ReadOnlyAdmin):
    list_display = ("height", "hash", "first", "count", "tree_size", "sealed_at")
    search_fields = ("=height", "=hash")
