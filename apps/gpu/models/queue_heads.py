"""The first waiting job of every requirement class, shared by all processes."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class ClassHeads(models.Model):
    """One row: the first waiting job of every class, at most 60 ms old; the process that finds it older rewrites it."""

    id = models.IntegerField(primary_key=True)
    at = models.DateTimeField()
    classes = ArrayField(models.IntegerField())
    priorities = ArrayField(models.SmallIntegerField())
    tags = ArrayField(models.BigIntegerField())

    class Meta:
        verbose_name_plural = "class heads"
        constraints = [models.CheckConstraint(name="gpu_classheads_one", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"heads of {len(self.classes)} classes"
