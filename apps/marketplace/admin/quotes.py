"""Quotes for operators; read only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.marketplace.models import Quote


@admin.register(Quote)
class QuoteAdmin(ReadOnlyAdmin):
    list_display = ("id", "offer", "renter_id", "gpu_count", "duration_s", "price_gpu_hour", "expires_at", "used_at")
    search_fields = ("=id", "=offer__id", "=renter_id")
