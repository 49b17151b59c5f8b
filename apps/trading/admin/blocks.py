"""Blocks in the admin, read-only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.trading.models import Block


@admin.register(Block)
class BlockAdmin(ReadOnlyAdmin):
    list_display = ("height", "hash", "first", "count", "tree_size", "sealed_at")
    search_fields = ("=height", "=hash")
