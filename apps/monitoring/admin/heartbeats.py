"""Heartbeats for operators' eyes."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.monitoring.models import Heartbeat


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = (
        "kind", "name", "expected_seconds", "started_at", "finished_at", "outcome", "failing_since", "overdue_since",
        "host",
    )  # fmt: skip
    list_filter = ("kind", "outcome", ("overdue_since", admin.EmptyFieldListFilter))
    search_fields = ("name", "host")
    ordering = ("kind", "name")
