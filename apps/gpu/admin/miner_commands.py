"""Commands to miners, read-only."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.gpu.models import (
    CommandTransition,
    MinerCommand,
)


@admin.register(MinerCommand)
class MinerCommandAdmin(ReadOnlyAdmin):
    list_display: ClassVar[tuple[str, ...]] = ("id", "miner", "gpu", "kind", "state", "actor", "created_at", "ended_at")
    list_filter = ("kind", "state")
    list_select_related = ("miner", "gpu")
    search_fields = ("=id", "miner__name")


@admin.register(CommandTransition)
class CommandTransitionAdmin(ReadOnlyAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    search_fields = ("=subject_id",)
