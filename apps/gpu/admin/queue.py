"""Waiting work, read-only."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin, Related
from apps.gpu.models import Work


@admin.register(Work)
class WorkAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = ["job_id", "attempt", "class_id", "priority", "fair_tag", "state", "due_at"]
    list_filter: ClassVar[list[str]] = ["state"]
    search_fields: ClassVar[list[str]] = ["job_id"]
    related = (Related("leases", "gpu.lease", "job_id", own="job_id"),)
