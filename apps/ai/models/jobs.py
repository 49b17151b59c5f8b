"""Jobs, their history and results, as rows."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from aitbc.core import params
from aitbc.core.fields import AmountField, JSONField
from aitbc.core.ids import uuid7
from aitbc.core.states import AbstractTransition, StatefulModel
from apps.ai.states import (
    ENDED_WITHOUT_RESULT,
    FINAL,
    JOB_TRANSITIONS,
    WAITING_FOR_A_DEADLINE,
    JobState,
    PaymentStatus,
    PriceSource,
)


def new_salt() -> str:
    """Return 32 random bytes in hex."""
    return secrets.token_hex(32)


class AIJobQuerySet(models.QuerySet["AIJob"]):
    def not_deleted(self) -> Self:
        """Jobs that no operator has deleted: those that lists show. By its id a job can always be read."""
        return self.filter(deleted_at=None)

    def owned_by(self, owner_id: UUID) -> Self:
        return self.filter(owner_id=owner_id)

    def unfinished(self) -> Self:
        return self.exclude(state__in=FINAL)

    def needing_input(self) -> Self:
        """Jobs whose input is a file that a miner may still fetch."""
        return self.filter(input_is_blob=True, state__in=WAITING_FOR_A_DEADLINE)

    def overdue(self, now: datetime) -> Self:
        return self.filter(state__in=WAITING_FOR_A_DEADLINE, due_at__lte=now)

    def locked(self, ids: Iterable[Any]) -> list[AIJob]:
        """Lock these jobs in the order of their keys, so that two batches cannot deadlock."""
        return list(self.filter(pk__in=list(ids)).order_by("pk").select_for_update())

    def refund_pending(self, before: datetime) -> Self:
        """Jobs that ended without a result before this time and whose payment trading has not refunded yet."""
        return self.filter(
            state__in=ENDED_WITHOUT_RESULT, completed_at__lt=before,
            payment_status__in=[PaymentStatus.PENDING, PaymentStatus.HELD],
        )  # fmt: skip

    def receipt_pending(self, before: datetime) -> Self:
        """Jobs that succeeded before this time and have no receipt yet."""
        return self.filter(state=JobState.SUCCEEDED, completed_at__lt=before)

    def withdrawal_pending(self, before: datetime) -> Self:
        """Jobs being cancelled since before this time: gpu has not answered."""
        patience = timedelta(seconds=params.get("jobs.cancel_deadline_s"))
        return self.filter(state=JobState.CANCELLING, due_at__lt=before + patience)

    def hold_pending(self, before: datetime) -> Self:
        """Jobs submitted before this time whose payment is not held yet."""
        return self.filter(state=JobState.SUBMITTED, created_at__lt=before)


class AIJob(StatefulModel):
    """A unit of AI work that a client requests, and mostly pays for, and a miner carries out."""

    TRANSITIONS = JOB_TRANSITIONS
    HISTORY = "JobEvent"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner_id = models.UUIDField()
    state = models.CharField(max_length=20, choices=JobState, default=JobState.SUBMITTED)

    task_type = models.CharField(max_length=100)
    model = models.CharField(max_length=200, blank=True)
    payload = JSONField(null=True, free=True)  # None when the input is a blob
    constraints = JSONField(default=dict)  # as the client wrote them
    requirement = JSONField(default=dict)  # canonical, what gpu matches
    salt = models.CharField(max_length=64, default=new_salt, editable=False)  # of its receipt's commitments
    payload_sha256 = models.CharField(max_length=64)
    input_sha256 = models.CharField(max_length=64)  # of the artifact where the job names one, else of the payload
    input_size = models.BigIntegerField()
    input_is_blob = models.BooleanField(default=False)

    priority = models.SmallIntegerField(default=0)
    attempt = models.SmallIntegerField(default=0)
    max_attempts = models.SmallIntegerField()
    ttl_seconds = models.IntegerField()
    queue_seconds = models.IntegerField()
    start_seconds = models.IntegerField()
    heartbeat_seconds = models.IntegerField()
    execution_seconds = models.IntegerField()

    payment_amount = AmountField()
    payment_currency = models.CharField(max_length=20, default="AIT")
    payment_status = models.CharField(max_length=10, choices=PaymentStatus, default=PaymentStatus.NONE)
    payment_id = models.UUIDField(null=True)
    paid = AmountField()
    fee = AmountField()
    refunded = AmountField()
    receipt_id = models.CharField(max_length=64, null=True)  # noqa: DJ001  # null in JSON until the receipt is issued

    miner_id = models.UUIDField(null=True)
    provider_id = models.UUIDField(null=True)
    rate = AmountField()  # micro-AIT per hour, agreed at the lease
    max_price = AmountField(null=True, default=None)  # the ceiling of that rate, as it is matched
    max_price_source = models.CharField(max_length=10, choices=PriceSource, db_default="", default="", blank=True)
    billable_ms = models.BigIntegerField(default=0)
    progress = models.FloatField(default=0.0)
    progress_note = models.CharField(max_length=300, blank=True)
    progress_seq = models.IntegerField(default=0)

    outcome = models.CharField(max_length=40, blank=True)
    error = models.CharField(max_length=2000, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    queued_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)  # the next deadline in the present state
    deleted_at = models.DateTimeField(null=True)

    objects = AIJobQuerySet.as_manager()

    class Meta:
        db_table = "ai_job"
        verbose_name = "job"
        ordering = ["-id"]
        indexes = [
            models.Index(name="ai_job_of_owner", fields=["owner_id", "-id"]),
            models.Index(name="ai_job_of_owner_state", fields=["owner_id", "state", "-id"]),
            models.Index(
                name="ai_job_due", fields=["due_at"],
                condition=Q(state__in=WAITING_FOR_A_DEADLINE),
            ),
            models.Index(name="ai_job_unsettled", fields=["completed_at"], condition=Q(state=JobState.SUCCEEDED)),
            models.Index(
                name="ai_job_money_pending", fields=["completed_at"],
                condition=Q(state__in=ENDED_WITHOUT_RESULT, payment_status__in=["pending", "held"]),
            ),
            models.Index(
                name="ai_job_input", fields=["owner_id", "input_sha256"],
                condition=Q(input_is_blob=True, state__in=WAITING_FOR_A_DEADLINE),
            ),
            models.Index(name="ai_job_unheld", fields=["created_at"], condition=Q(state=JobState.SUBMITTED)),
        ]  # fmt: skip
        constraints = [
            models.CheckConstraint(name="ai_job_state_known", condition=Q(state__in=JobState.values)),
            models.CheckConstraint(
                name="ai_job_attempts_bounded", condition=Q(attempt__gte=0, attempt__lte=models.F("max_attempts"))
            ),
            models.CheckConstraint(name="ai_job_progress_share", condition=Q(progress__gte=0, progress__lte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.task_type} job {self.pk}"

    @property
    def artifacts(self) -> list[str]:
        """The hashes of the artifacts that the job reads beside its payload."""
        return [] if self.input_sha256 == self.payload_sha256 else [self.input_sha256]

    @property
    def is_paid(self) -> bool:
        """Whether a payment is offered for it."""
        return bool(self.payment_amount)


class JobEvent(AbstractTransition):
    """One transition of a job, with who made it and why."""

    class Meta(AbstractTransition.Meta):
        db_table = "ai_job_event"
        verbose_name = "job event"
        abstract = False


class AIJobResultQuerySet(models.QuerySet["AIJobResult"]):
    def kept(self) -> Self:
        """Large results that have not been removed."""
        return self.filter(is_blob=True, removed_at=None)


class AIJobResult(models.Model):
    """The one accepted result of a job, stored as delivered. Its row stays when the file of a large one is removed."""

    class RemovedBy(models.TextChoices):
        """Who removed the file of a large result."""

        OWNER = "owner"
        RETENTION = "retention"  # jobs.result_retention_s

    job = models.OneToOneField(AIJob, on_delete=models.PROTECT, primary_key=True, related_name="outcome_row")
    attempt = models.SmallIntegerField()
    miner_id = models.UUIDField()
    provider_id = models.UUIDField()
    task_type = models.CharField(max_length=100)
    result = JSONField(null=True, free=True)  # None when it is a blob
    is_blob = models.BooleanField(default=False)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    metrics = JSONField(default=dict)  # the miner's claim
    rate = AmountField()
    metered_ms = models.BigIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True)
    removed_by = models.CharField(max_length=10, choices=RemovedBy, db_default="", default="", blank=True)

    objects = AIJobResultQuerySet.as_manager()

    class Meta:
        db_table = "ai_job_result"
        verbose_name = "job result"
        indexes = [
            models.Index(name="ai_result_of_task_type", fields=["task_type", "-job"]),
            models.Index(name="ai_result_kept", fields=["sha256"], condition=Q(is_blob=True, removed_at=None)),
            models.Index(
                name="ai_result_kept_since", fields=["created_at"], condition=Q(is_blob=True, removed_at=None)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="ai_result_removal",
                condition=Q(removed_at=None, removed_by="")
                | Q(removed_at__isnull=False, is_blob=True) & ~Q(removed_by=""),
            )
        ]

    def __str__(self) -> str:
        return f"result of job {self.job_id}"


class DeadLetter(models.Model):
    """A job that used up its attempts, and why the last one failed."""

    job = models.OneToOneField(AIJob, on_delete=models.PROTECT, primary_key=True, related_name="dead_letter")
    code = models.CharField(max_length=40)
    reason = models.CharField(max_length=2000)
    attempts = models.SmallIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "ai_dead_letter"
        verbose_name = "dead letter"
        constraints = [models.CheckConstraint(name="ai_dead_letter_has_reason", condition=~Q(reason=""))]

    def __str__(self) -> str:
        return f"{self.code}: job {self.job_id}"


class OperatorAct(models.Model):
    """What an operator did to a job and why; rows are never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(AIJob, on_delete=models.PROTECT, related_name="operator_acts")
    act = models.CharField(max_length=20)
    actor = models.CharField(max_length=120)
    reason = models.CharField(max_length=300)
    detail = JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "ai_operator_act"
        verbose_name = "operator's act"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.act} by {self.actor}"
