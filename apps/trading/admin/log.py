"""Entries of the log in the admin, read-only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin, Related
from apps.trading.models import LogEntry


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    list_display = ("idx", "kind", "leaf_hash", "created_at")
    list_filter = ("kind",)
    search_fields = ("=leaf_hash",)
    exclude = ("leaf",)
    readonly_fields = ("leaf_text",)
    related = (Related("receipt", "trading.receipt", "leaf", own="leaf_hash"),)

    @admin.display(description="leaf")
    def leaf_text(self, entry: LogEntry) -> str:
        return bytes(entry.leaf).decode()
