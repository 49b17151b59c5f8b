"""Awards for operators; read only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from aitbc.core.money import format_amount
from apps.marketplace.models import Award


@admin.register(Award)
class AwardAdmin(ReadOnlyAdmin):
    list_display = ("id", "demand_id", "bid_id", "price", "booking_id", "digest", "created_at")
    search_fields = ("=id", "=demand__id", "=bid__id", "=booking_id", "=digest")
    ordering = ("-created_at",)

    @admin.display(description="price AIT/h", ordering="price_hour")
    def price(self, award: Award) -> str:
        return format_amount(award.price_hour)
