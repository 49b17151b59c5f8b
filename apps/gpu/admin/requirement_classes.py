"""Requirement classes, read-only."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.gpu.models import RequirementClass


@admin.register(RequirementClass)
class RequirementClassAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = ["id", "requirement", "served", "used_at"]
