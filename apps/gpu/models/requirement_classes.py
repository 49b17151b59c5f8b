"""Requirement classes: jobs that need the same of a miner share one row."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from aitbc.core.fields import JSONField


class RequirementClass(models.Model):
    """All jobs with the same requirement. A row never changes its meaning, and its id is never used again."""

    id = models.AutoField(primary_key=True)
    digest = models.TextField(unique=True)
    requirement = JSONField()
    served = models.BooleanField(db_default=True, help_text="Some online miner fits: fair tags advance only then.")
    used_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "requirement classes"

    def __str__(self) -> str:
        return f"requirement class {self.pk}"
