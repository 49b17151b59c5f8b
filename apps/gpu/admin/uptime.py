"""Minutes with heartbeats per miner and hour, read-only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.gpu.models import (
    MinerHour,
)


@admin.register(MinerHour)
class MinerHourAdmin(ReadOnlyAdmin):
    list_display = ("miner_id", "hour", "minutes_heard")
    search_fields = ("=miner_id",)

    @admin.display(description="Minutes heard")
    def minutes_heard(self, row: MinerHour) -> int:
        return row.minutes.bit_count()
