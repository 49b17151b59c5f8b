"""GPUs of the registry for operators; read only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.marketplace.models import RegisteredGPU


@admin.register(RegisteredGPU)
class RegisteredGPUAdmin(ReadOnlyAdmin):
    list_display = ("id", "name", "state", "miner_id", "owner_id", "seq", "changed_at")
    list_filter = ("state",)
    search_fields = ("=id", "=miner_id", "=owner_id")
    ordering = ("-changed_at",)

    @admin.display(description="card")
    def name(self, gpu: RegisteredGPU) -> str:
        return str(gpu.facts.get("model") or gpu.facts.get("name", ""))
