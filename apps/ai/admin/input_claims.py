"""Claims of bad input in the admin site, read-only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.ai.models import InputClaim


@admin.register(InputClaim)
class InputClaimAdmin(ReadOnlyAdmin):
    list_display = ("job_id", "attempt", "miner_id", "provider_id", "verdict", "fault", "message", "metered_ms", "at")
    list_filter = ("verdict",)
    search_fields = ("=job__id", "=miner_id", "=provider_id")
    show_full_result_count = False
