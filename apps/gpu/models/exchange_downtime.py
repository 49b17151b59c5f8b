"""The clock that shows how long no web process was up."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Clock(models.Model):
    """When a web process was last up. A gap means that the exchange was down: no miner is blamed for it."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "clock"
        constraints = [models.CheckConstraint(name="gpu_clock_one", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"seen {self.seen_at:%H:%M:%S}"
