"""Requirement classes, read-only."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin, json_in_ait
from apps.gpu.models import RequirementClass

REQUIREMENT = json_in_ait("requirement", "max_price")


@admin.register(RequirementClass)
class RequirementClassAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["id", REQUIREMENT, "served", "used_at"]
    exclude = ("requirement",)
    readonly_fields = (REQUIREMENT,)
