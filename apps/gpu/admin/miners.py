"""Miners and their history, read-only."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin, Related, json_in_ait
from apps.gpu.models import Miner, MinerTransition


@admin.register(Miner)
class MinerAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = [
        "name",
        "owner_id",
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
    related = (
        Related("history", "gpu.minertransition", "subject_id"), Related("cards", "gpu.gpuregistry", "miner_id"),
        Related("leases", "gpu.lease", "miner_id"), Related("back-ends", "gpu.backend", "miner_id"),
        Related("commands", "gpu.minercommand", "miner_id"), Related("hours", "gpu.minerhour", "miner_id"),
        Related("jobs", "ai.aijob", "miner_id"), Related("offers", "marketplace.marketplaceoffer", "miner_id"),
        Related("bookings", "marketplace.gpubooking", "miner_id"),
        Related("reliability", "marketplace.reliability", "miner_id"),
        Related("payments", "trading.payment", "miner_id"), Related("receipts", "trading.receipt", "miner_id"),
    )  # fmt: skip


@admin.register(MinerTransition)
class MinerTransitionAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = ["subject_id", "seq", "from_state", "to_state", "actor", "reason", "at"]
    search_fields: ClassVar[list[str]] = ["subject_id"]
