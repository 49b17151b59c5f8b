"""Payments of jobs, from the hold to the settlement or refund."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from aitbc.core.fields import AmountField
from aitbc.core.ids import uuid7
from aitbc.core.states import AbstractTransition, StatefulModel
from apps.trading.states import PAYMENT_TRANSITIONS, PaymentState


class PaymentQuerySet(models.QuerySet["Payment"]):
    def for_jobs(self, job_ids: Collection[UUID]) -> Self:
        return self.filter(job_id__in=job_ids)

    def held(self) -> Self:
        return self.filter(state=PaymentState.HELD)

    def settled(self) -> Self:
        return self.filter(state=PaymentState.SETTLED)

    def refunded(self) -> Self:
        return self.filter(state=PaymentState.REFUNDED)

    def earned_by(self, provider_id: UUID, miner_id: UUID | None = None) -> Self:
        paid = self.filter(provider_id=provider_id, paid__gt=0)
        return paid if miner_id is None else paid.filter(miner_id=miner_id)

    def ended_between(self, since: datetime | None, until: datetime | None) -> Self:
        rows = self if since is None else self.filter(ended_at__gte=since)
        return rows if until is None else rows.filter(ended_at__lt=until)

    def overdue(self, now: datetime) -> Self:
        """Holds that were not resolved in the time a job may take."""
        return self.held().filter(due_at__lt=now)

    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(no_key=True)


class Payment(StatefulModel):
    """The money of one job; amount = paid + fee + refunded once it has ended."""

    TRANSITIONS = PAYMENT_TRANSITIONS
    HISTORY = "PaymentEvent"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job_id = models.UUIDField(unique=True)
    owner_id = models.UUIDField(db_index=True)
    amount = AmountField(default=0, help_text="What was set aside.")
    hold_id = models.UUIDField(null=True, help_text="The pending transfer that sets it aside.")
    fee_bp = models.PositiveIntegerField(default=0, help_text="Fee in 1/10000, as agreed when the money was held.")
    provider_id = models.UUIDField(null=True)
    miner_id = models.UUIDField(null=True)
    paid = AmountField(default=0, help_text="To the provider, after the fee.")
    fee = AmountField(default=0)
    refunded = AmountField(default=0)
    due_at = models.DateTimeField(null=True, help_text="A hold older than this is looked into.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(name="trading_payment_earned", fields=["provider_id", "ended_at"], condition=Q(paid__gt=0)),
            models.Index(name="trading_payment_due", fields=["due_at"], condition=Q(state=PaymentState.HELD)),
        ]
        constraints = [
            models.CheckConstraint(name="trading_payment_state_known", condition=Q(state__in=PaymentState.values)),
            models.CheckConstraint(
                name="trading_payment_parts_sum_to_the_whole",
                condition=~Q(state__in=[PaymentState.SETTLED, PaymentState.REFUNDED])
                | Q(amount=F("paid") + F("fee") + F("refunded")),
            ),
        ]

    def __str__(self) -> str:
        return f"payment of job {self.job_id}"


class PaymentEvent(AbstractTransition):
    """One step in the life of a payment; append-only."""
