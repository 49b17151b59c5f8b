"""Work that waits for a miner, and the fair share of each owner."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from aitbc.core.fields import JSONField
from apps.gpu.states import WorkState


class FairShare(models.Model):
    """How far an owner's work has been promised, in virtual seconds (start-time fair queueing)."""

    owner_id = models.UUIDField(primary_key=True)
    finish = models.BigIntegerField()
    weight = models.IntegerField(db_default=1)

    class Meta:
        constraints = [models.CheckConstraint(name="gpu_fairshare_weight", condition=Q(weight__gte=1))]

    def __str__(self) -> str:
        return f"{self.owner_id} × {self.weight}"


class WorkQuerySet(models.QuerySet["Work"]):
    def waiting(self) -> Self:
        return self.filter(state=WorkState.WAITING)

    def open(self) -> Self:
        return self.exclude(state=WorkState.DONE)

    def ahead_of(self, work: Work) -> Self:
        """Waiting jobs of the same class that will be handed out before this one."""
        same = Q(priority=work.priority)
        return (
            self.waiting()
            .filter(class_id=work.class_id)
            .filter(
                Q(priority__gt=work.priority)
                | same & Q(fair_tag__lt=work.fair_tag)
                | same & Q(fair_tag=work.fair_tag, id__lt=work.pk)
            )
        )


class Work(models.Model):
    """One attempt of one job that waits for, or is with, a miner. Finished rows are swept away."""

    id = models.BigAutoField(primary_key=True)
    job_id = models.UUIDField()
    attempt = models.SmallIntegerField(help_text="The number the lease on this row carries: its fencing token.")
    class_id = models.IntegerField()
    priority = models.SmallIntegerField()
    fair_tag = models.BigIntegerField()
    owner_id = models.UUIDField()
    state = models.CharField(max_length=10, choices=WorkState, db_default=WorkState.WAITING)
    start_seconds = models.IntegerField()
    heartbeat_seconds = models.IntegerField()
    execution_seconds = models.IntegerField()
    body = JSONField(help_text="What the miner receives: payload, constraints, task type, input.")
    due_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = WorkQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "work"
        constraints = [
            models.UniqueConstraint(name="gpu_work_attempt", fields=["job_id", "attempt"]),
            models.UniqueConstraint(
                name="gpu_work_job", fields=["job_id"], condition=Q(state__in=["delayed", "waiting", "leased"])
            ),
            models.CheckConstraint(name="gpu_work_state_known", condition=Q(state__in=WorkState.values)),
        ]
        indexes = [
            models.Index(
                F("class_id"),
                F("priority").desc(),
                F("fair_tag"),
                F("id"),
                name="gpu_work_heads",
                condition=Q(state="waiting"),
            ),
            models.Index(name="gpu_work_delayed", fields=["due_at"], condition=Q(state="delayed")),
            models.Index(name="gpu_work_done", fields=["id"], condition=Q(state="done")),
        ]

    def __str__(self) -> str:
        return f"job {self.job_id} attempt {self.attempt} ({self.state})"
