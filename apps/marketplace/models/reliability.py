"""Evidence of what miners kept and broke, and the reliability computed from it."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone


class ReliabilityEvent(models.Model):
    """Something a miner did as promised, or did not; append-only evidence."""

    class Kind(models.TextChoices):
        HOUR = "hour"
        LEASE = "lease"
        BOOKING = "booking"
        NO_SHOW = "no_show"
        PROVIDER_CANCEL = "provider_cancel"
        FAILED_HARDWARE = "failed_hardware"

    id = models.BigAutoField(primary_key=True)
    miner_id = models.UUIDField()
    provider_id = models.UUIDField()
    kind = models.CharField(max_length=20, choices=Kind)
    ok = models.BooleanField()
    count = models.PositiveIntegerField(default=1, help_text="How many of them: an hour's leases are one row.")
    ref = models.CharField(max_length=80, help_text="Which hour or booking: counted once.")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [models.UniqueConstraint(name="marketplace_reliability_once", fields=["miner_id", "kind", "ref"])]
        indexes = [models.Index(name="marketplace_reliability_at", fields=["miner_id", "-at"])]

    def __str__(self) -> str:
        return f"{self.miner_id}: {self.kind} {'kept' if self.ok else 'broken'}"


class Reliability(models.Model):
    """A miner's reliability as last computed: R is the lower 5 % quantile of Beta(8 + ok, 2 + failed)."""

    miner_id = models.UUIDField(primary_key=True)
    provider_id = models.UUIDField(db_index=True)
    r = models.FloatField()
    ok = models.FloatField(help_text="Weighted, with a half-life of 30 days.")
    failed = models.FloatField()
    computed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "reliabilities"

    def __str__(self) -> str:
        return f"{self.miner_id}: {self.r:.3f}"
