"""Requirement classes, read-only."""

from __future__ import annotations

from typing import ClassVar

import orjson
from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from aitbc.core.money import format_amount
from apps.gpu.models import RequirementClass


@admin.register(RequirementClass)
class RequirementClassAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = ["id", "required", "served", "used_at"]
    exclude = ("requirement",)
    readonly_fields = ("required",)

    @admin.display(description="requirement (max_price: AIT per hour)")
    def required(self, row: RequirementClass) -> str:
        """What a miner must have, its price in AIT."""
        ceiling = row.requirement.get("max_price")
        return orjson.dumps(row.requirement | {"max_price": ceiling and format_amount(ceiling)}).decode()
