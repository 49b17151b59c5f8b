"""GPUs of the registry for operators; read only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.marketplace.models import Device


@admin.register(Device)
class DeviceAdmin(ReadOnlyAdmin):
    list_display = ("id", "name", "state", "miner_id", "owner_id", "seq", "changed_at")
    list_filter = ("state",)
    search_fields = ("=id", "=miner_id", "=owner_id")
    ordering = ("-changed_at",)

    @admin.display(description="card")
    def name(self, card: Device) -> str:
        return str(card.facts.get("model") or card.facts.get("name", ""))
