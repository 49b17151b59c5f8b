"""Inputs and results that are kept as files, as rows."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from aitbc.core.ids import uuid7


class ArtifactQuerySet(models.QuerySet["Artifact"]):
    def owned_by(self, owner_id: UUID) -> Self:
        return self.filter(owner_id=owner_id)

    def unreferenced(self, before: datetime) -> Self:
        """Artifacts that no job refers to and that nobody uploaded or released since this time."""
        return self.filter(refs=0, touched_at__lt=before)


class Artifact(models.Model):
    """An owner's claim on a blob: an input uploaded, or a result too large for a row."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner_id = models.UUIDField()
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    media_type = models.CharField(max_length=100, default="application/octet-stream")
    refs = models.IntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    touched_at = models.DateTimeField(default=timezone.now)

    objects = ArtifactQuerySet.as_manager()

    class Meta:
        db_table = "ai_artifact"
        constraints = [
            models.UniqueConstraint(name="ai_artifact_once", fields=["owner_id", "sha256"]),
            models.CheckConstraint(name="ai_artifact_refs_counted", condition=Q(refs__gte=0)),
        ]
        indexes = [
            models.Index(name="ai_artifact_sha256", fields=["sha256"]),
            models.Index(name="ai_artifact_unneeded", fields=["touched_at"], condition=Q(refs=0)),
        ]

    def __str__(self) -> str:
        return f"{self.sha256[:12]}… ({self.size} bytes)"
