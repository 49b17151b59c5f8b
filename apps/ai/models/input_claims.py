"""Claims of miners that a job's input cannot be computed."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.ai.models.jobs import AIJob


class InputClaimQuerySet(models.QuerySet["InputClaim"]):
    def open(self) -> Self:
        """Claims of which it is not known whether they are right."""
        return self.filter(verdict=InputClaim.Verdict.OPEN)


class InputClaim(models.Model):
    """One miner's word that the input of a job is bad, and what became of it."""

    class Verdict(models.TextChoices):
        OPEN = "open"
        UPHELD = "upheld"
        REFUTED = "refuted"  # another miner computed it

    job = models.ForeignKey(AIJob, on_delete=models.PROTECT, related_name="input_claims", db_index=False)
    attempt = models.SmallIntegerField()
    miner_id = models.UUIDField()
    provider_id = models.UUIDField()
    metered_ms = models.BigIntegerField()
    message = models.CharField(max_length=1000, blank=True)
    fault = models.CharField(
        max_length=300, blank=True, help_text="What the task type's schema says against the input."
    )
    verdict = models.CharField(max_length=10, choices=Verdict, default=Verdict.OPEN)
    at = models.DateTimeField(default=timezone.now)

    objects = InputClaimQuerySet.as_manager()

    class Meta:
        db_table = "ai_input_claim"
        verbose_name = "claim of bad input"
        verbose_name_plural = "claims of bad input"
        constraints = [
            models.UniqueConstraint(name="ai_input_claim_once", fields=["job", "attempt"]),
            models.CheckConstraint(
                name="ai_input_claim_verdict_known", condition=Q(verdict__in=["open", "upheld", "refuted"])
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.attempt} of job {self.job_id}: {self.verdict}"
