"""Artifacts in the admin site: readable, nothing editable."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.ai.models import Artifact


@admin.register(Artifact)
class ArtifactAdmin(ReadOnlyAdmin):
    list_display = ("sha256", "owner_id", "size", "media_type", "created_at", "touched_at")
    search_fields = ("sha256", "=owner_id")
