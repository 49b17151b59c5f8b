"""Leases: which miner held which job, when, at what rate, and how it ended; rows stay as evidence."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from aitbc.core.fields import AmountField
from apps.gpu.states import LEASE_TRANSITIONS, LeaseState


class LeaseQuerySet(models.QuerySet["Lease"]):
    def live(self) -> Self:
        return self.filter(state=LeaseState.LEASED)

    def owned_by(self, provider_id: UUID) -> Self:
        return self.filter(provider_id=provider_id)

    def of_miner(self, miner_id: UUID) -> Self:
        return self.filter(miner_id=miner_id)

    def of_job(self, job_id: UUID) -> Self:
        return self.filter(job_id=job_id)


class Lease(models.Model):
    """One attempt of a job in a miner's hands. Its one transition is from leased to its end: the row is its history."""

    TRANSITIONS = LEASE_TRANSITIONS

    id = models.BigAutoField(primary_key=True)
    work_id = models.BigIntegerField()
    job_id = models.UUIDField()
    attempt = models.SmallIntegerField()
    class_id = models.IntegerField()
    miner_id = models.UUIDField()
    provider_id = models.UUIDField(help_text="Owner of the miner, who is paid.")
    rate = AmountField(help_text="micro-AIT per hour, agreed at the grant.")
    state = models.CharField(max_length=12, choices=LeaseState, db_default=LeaseState.LEASED)
    granted_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, help_text="First sign of life after the grant.")
    lease_until = models.DateTimeField(help_text="Pushed on by each heartbeat, never past execute_by.")
    execute_by = models.DateTimeField()
    heartbeat_seconds = models.IntegerField()
    suspect_at = models.DateTimeField(null=True)
    cancel_at = models.DateTimeField(null=True, help_text="The job was withdrawn; the next heartbeat stops it.")
    progress = models.FloatField(db_default=0)
    note = models.CharField(max_length=200, db_default="", blank=True)
    ended_at = models.DateTimeField(null=True)
    code = models.CharField(max_length=40, db_default="", blank=True)
    message = models.CharField(max_length=1000, db_default="", blank=True)
    metered_ms = models.BigIntegerField(db_default=0)
    claim_upheld = models.BooleanField(null=True, help_text="Its claim of bad input was right; empty while open.")
    result_sha256 = models.CharField(max_length=64, db_default="", blank=True)
    result_size = models.BigIntegerField(db_default=0)
    input_sha256 = models.CharField(max_length=64, db_default="", blank=True)
    input_size = models.BigIntegerField(db_default=0)

    objects = LeaseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="gpu_lease_one_live", fields=["job_id"], condition=Q(state="leased")),
            models.UniqueConstraint(
                name="gpu_lease_attempt", fields=["job_id", "attempt"], condition=~Q(state="released")
            ),
            models.CheckConstraint(name="gpu_lease_state_known", condition=Q(state__in=LeaseState.values)),
            models.CheckConstraint(name="gpu_lease_ended", condition=Q(state="leased") ^ Q(ended_at__isnull=False)),
        ]
        indexes = [
            models.Index(name="gpu_lease_live", fields=["miner_id"], condition=Q(state="leased")),
            models.Index(name="gpu_lease_miner", fields=["miner_id", "-id"]),
            models.Index(name="gpu_lease_job", fields=["job_id"]),
            models.Index(name="gpu_lease_ended_at", fields=["ended_at"], condition=Q(ended_at__isnull=False)),
            models.Index(name="gpu_lease_result", fields=["result_sha256"], condition=~Q(result_sha256="")),
            models.Index(name="gpu_lease_input", fields=["input_sha256"], condition=~Q(input_sha256="")),
        ]

    def __str__(self) -> str:
        return f"job {self.job_id} attempt {self.attempt}: {self.state}"


class LateResult(models.Model):
    """A result or failure for a lease that was no longer the miner's: it changed nothing and stays as evidence."""

    id = models.BigAutoField(primary_key=True)
    job_id = models.UUIDField(db_index=True)
    attempt = models.SmallIntegerField(null=True)
    miner_id = models.UUIDField()
    kind = models.CharField(max_length=10, help_text="result or fail")
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=120)
    received_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.kind} for job {self.job_id}: {self.reason}"
