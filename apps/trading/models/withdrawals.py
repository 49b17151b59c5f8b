"""Withdrawals: an owner's money on its way out of the exchange."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from aitbc.core.fields import AmountField
from aitbc.core.ids import uuid7
from aitbc.core.states import AbstractTransition, StatefulModel
from apps.trading.states import WITHDRAWAL_TRANSITIONS, WithdrawalState

#: Decided by nobody yet, or by one of two: what may expire.
UNDECIDED = [WithdrawalState.REQUESTED, WithdrawalState.PROPOSED]
DECIDED = [WithdrawalState.APPROVED, WithdrawalState.PAID]


class WithdrawalQuerySet(models.QuerySet["Withdrawal"]):
    def owned_by(self, owner_id: UUID) -> Self:
        return self.filter(owner_id=owner_id)

    def overdue(self, now: datetime) -> Self:
        return self.filter(state__in=UNDECIDED, due_at__lt=now)

    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(no_key=True)


class Withdrawal(StatefulModel):
    """A request to pay an amount to a destination outside; its money is held until it ends."""

    TRANSITIONS = WITHDRAWAL_TRANSITIONS
    HISTORY = "WithdrawalEvent"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner_id = models.UUIDField()
    state = models.CharField(max_length=10, choices=WithdrawalState, default=WithdrawalState.REQUESTED)
    amount = AmountField()
    destination = models.CharField(max_length=200, help_text="Where the money is to go, in the owner's words.")
    hold_id = models.UUIDField(help_text="The pending transfer that sets it aside.")
    two_person = models.BooleanField(help_text="Two operators decide: it was above the parameter when requested.")
    proposed_by = models.UUIDField(null=True, help_text="The user who approved first of two.")
    approved_by = models.UUIDField(null=True, help_text="The user who approved, where one is known.")
    external_reference = models.CharField(max_length=200, blank=True, help_text="The payment outside.")
    decision = models.CharField(max_length=300, blank=True, help_text="Why it ended without being paid.")
    due_at = models.DateTimeField(help_text="It expires then, unless it is approved.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True)

    objects = WithdrawalQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(name="trading_withdrawal_owner", fields=["owner_id", "id"]),
            models.Index(
                name="trading_withdrawal_due", fields=["due_at"], condition=Q(state__in=["requested", "proposed"])
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="trading_withdrawal_state_known", condition=Q(state__in=WithdrawalState.values)
            ),
            models.CheckConstraint(
                name="trading_withdrawal_two_decide",
                condition=Q(two_person=False)
                | ~Q(state__in=DECIDED)
                | Q(proposed_by__isnull=False, approved_by__isnull=False) & ~Q(proposed_by=F("approved_by")),
            ),
            models.CheckConstraint(
                name="trading_withdrawal_paid_somewhere", condition=~Q(state="paid") | ~Q(external_reference="")
            ),
            models.UniqueConstraint(
                name="trading_withdrawal_reference_once",
                fields=["external_reference"],
                condition=~Q(external_reference=""),
            ),
        ]

    def __str__(self) -> str:
        return f"withdrawal {self.pk} to {self.destination}"


class WithdrawalEvent(AbstractTransition):
    """One step in the life of a withdrawal; append-only."""
