"""Inputs and results that are kept as files, as rows."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils import timezone

from aitbc.core.ids import uuid7
from apps.ai.models.jobs import AIJob, AIJobResult

SAME = {"owner_id": OuterRef("owner_id"), "input_sha256": OuterRef("sha256")}


class ArtifactQuerySet(models.QuerySet["Artifact"]):
    def owned_by(self, owner_id: UUID) -> Self:
        return self.filter(owner_id=owner_id)

    def with_use(self) -> Self:
        """Artifacts with `in_use`: whether an unfinished job has it as input, or it is a result that is kept."""
        return self.annotate(in_use=_is_input() | _is_result())

    def unused(self, before: datetime) -> Self:
        """Artifacts that nothing uses, and that no upload, submission or end of a job has touched since this time."""
        return self.filter(~_is_input(), ~_is_result(), touched_at__lt=before)


def _is_input() -> Exists:
    return Exists(AIJob.objects.needing_input().filter(**SAME))


def _is_result() -> Exists:
    kept = AIJobResult.objects.kept().filter(sha256=OuterRef("sha256"))
    return Exists(kept.filter(job__owner_id=OuterRef("owner_id")))


class Artifact(models.Model):
    """An owner's claim on a blob: an input uploaded, or a result too large for a row."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner_id = models.UUIDField()
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    media_type = models.CharField(max_length=100, default="application/octet-stream")
    created_at = models.DateTimeField(default=timezone.now)
    touched_at = models.DateTimeField(default=timezone.now)

    objects = ArtifactQuerySet.as_manager()

    class Meta:
        db_table = "ai_artifact"
        constraints = [models.UniqueConstraint(name="ai_artifact_once", fields=["owner_id", "sha256"])]
        indexes = [
            models.Index(name="ai_artifact_sha256", fields=["sha256"]),
            models.Index(name="ai_artifact_touched", fields=["touched_at"]),
            models.Index(name="ai_artifact_sizes_of_owner", fields=["owner_id"], include=["size"]),
        ]

    def __str__(self) -> str:
        return f"{self.sha256[:12]}… ({self.size} bytes)"
