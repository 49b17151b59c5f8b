"""Blocks in the admin, read-only."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from aitbc.core.admin import ReadOnlyAdmin
from aitbc.core.admin_columns import STYLE, page
from apps.trading.models import Block


@admin.register(Block)
class BlockAdmin(ReadOnlyAdmin):
    list_display = ("height", "hash", "first", "count", "tree_size", "sealed_at")
    search_fields = ("=height", "=hash")
    readonly_fields = ("entries",)

    @admin.display(description="elsewhere")
    def entries(self, block: Block) -> str:
        """The entries that it seals."""
        query = urlencode({"idx__gte": block.first, "idx__lt": block.end})
        entries = reverse(page("trading.logentry", "changelist"))
        return format_html('<a class="{}" href="{}?{}">log entries</a>', STYLE, entries, query)
