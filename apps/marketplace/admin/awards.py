"""Awards for operators; read only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.marketplace.models import Award


@admin.register(Award)
class AwardAdmin(ReadOnlyAdmin):
    list_display = ("id", "demand_id", "bid_id", "price_hour", "booking_id", "digest", "created_at")
    search_fields = ("=id", "=demand__id", "=bid__id", "=booking_id", "=digest")
    ordering = ("-created_at",)
