"""Miners, leases and the queue to look at; what may be changed goes through services."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.gpu.models import Backend, LateResult, Lease, Miner, MinerTransition, RequirementClass, Work


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


@admin.register(MinerTransition)
class MinerTransitionAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = ["subject_id", "seq", "from_state", "to_state", "actor", "reason", "at"]
    search_fields: ClassVar[list[str]] = ["subject_id"]


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = [
        "job_id",
        "attempt",
        "miner_id",
        "state",
        "code",
        "granted_at",
        "lease_until",
        "ended_at",
    ]
    list_filter: ClassVar[list[str]] = ["state", "code"]
    search_fields: ClassVar[list[str]] = ["job_id", "miner_id"]


@admin.register(Work)
class WorkAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = ["job_id", "attempt", "class_id", "priority", "fair_tag", "state", "due_at"]
    list_filter: ClassVar[list[str]] = ["state"]
    search_fields: ClassVar[list[str]] = ["job_id"]


@admin.register(RequirementClass)
class RequirementClassAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = ["id", "requirement", "served", "used_at"]


@admin.register(LateResult)
class LateResultAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = ["job_id", "attempt", "miner_id", "kind", "reason", "received_at"]
    search_fields: ClassVar[list[str]] = ["job_id"]


@admin.register(Backend)
class BackendAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = ["url", "kind", "healthy", "last_error", "polled_at"]
