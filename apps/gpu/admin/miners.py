"""Miners and their history, read-only."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin, json_in_ait
from apps.gpu.models import Miner, MinerTransition


@admin.register(Miner)
class MinerAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = [
        "name",
        "state",
        "concurrency",
        "region",
        "price",
        "reputation",
        "last_heartbeat",
    ]
    list_filter: ClassVar[list[str]] = ["state", "region"]
    search_fields: ClassVar[list[str]] = ["name", "id"]
    exclude = ("offer",)
    readonly_fields = (json_in_ait("offer", "price"),)


@admin.register(MinerTransition)
class MinerTransitionAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = ["subject_id", "seq", "from_state", "to_state", "actor", "reason", "at"]
    search_fields: ClassVar[list[str]] = ["subject_id"]
