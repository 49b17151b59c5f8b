"""Price ticks and cells for operators; read only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.marketplace.models import PriceCell, PriceTick


@admin.register(PriceTick)
class PriceTickAdmin(ReadOnlyAdmin):
    list_display = ("at", "source", "gpu_model", "region", "kind", "price_gpu_hour", "gpus", "provider_id", "ref")
    list_filter = ("source", "kind", "region")
    search_fields = ("gpu_model", "=ref", "=provider_id")
    ordering = ("-at",)


@admin.register(PriceCell)
class PriceCellAdmin(ReadOnlyAdmin):
    list_display = ("gpu_model", "region", "kind", "utilisation", "multiplier", "providers", "held", "moved_at")
    list_filter = ("held", "kind", "region")
    search_fields = ("gpu_model",)
