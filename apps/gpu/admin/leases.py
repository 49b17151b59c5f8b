"""Leases and results that came too late, read-only."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin, Related
from apps.gpu.models import LateResult, Lease


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
    related = (
        Related("work", "gpu.work", "job_id", own="job_id"),
        Related("payment", "trading.payment", "job_id", own="job_id"),
        Related("receipt", "trading.receipt", "job_id", own="job_id"),
        Related("late results", "gpu.lateresult", "job_id", own="job_id"),
    )


@admin.register(LateResult)
class LateResultAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = ["job_id", "attempt", "miner_id", "kind", "reason", "received_at"]
    search_fields: ClassVar[list[str]] = ["job_id"]
