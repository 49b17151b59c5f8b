"""Receipts and the log in the admin: to be looked at, never edited."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.trading.models import LogEntry


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
