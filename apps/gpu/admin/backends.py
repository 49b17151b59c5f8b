"""Back-ends, read-only."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.gpu.models import Backend


@admin.register(Backend)
class BackendAdmin(ReadOnlyAdmin):
    list_display: ClassVar[list[str]] = ["url", "kind", "healthy", "last_error", "polled_at"]
