"""The clock that shows how long no web process was up."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Clock(models.Model):
    """When a web process last said that miners can be heard. A gap means the exchange was away: no miner is blamed."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "clock"
        constraints = [models.CheckConstraint(name="gpu_clock_one", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"seen {self.seen_at:%H:%M:%S}"
