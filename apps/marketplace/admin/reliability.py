"""Reliability and its evidence for operators; read only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.marketplace.models import Reliability, ReliabilityEvent


@admin.register(Reliability)
class ReliabilityAdmin(ReadOnlyAdmin):
    list_display = ("miner_id", "provider_id", "r", "ok", "failed", "computed_at")
    search_fields = ("=miner_id", "=provider_id")
    ordering = ("r",)


@admin.register(ReliabilityEvent)
class ReliabilityEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "miner_id", "kind", "ok", "count", "ref")
    list_filter = ("kind", "ok")
    search_fields = ("=miner_id", "=provider_id", "=ref")
    ordering = ("-at",)
