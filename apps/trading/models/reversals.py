"""Reversals: corrections of transfers by operators, each a new transfer that names the old one."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from aitbc.core.ids import uuid7
from aitbc.core.states import AbstractTransition, StatefulModel
from apps.trading.models.ledger import Transfer
from apps.trading.states import REVERSAL_TRANSITIONS, ReversalState

STANDING = [ReversalState.PROPOSED, ReversalState.POSTED]


class ReversalQuerySet(models.QuerySet["Reversal"]):
    def overdue(self, now: datetime) -> Self:
        return self.filter(state=ReversalState.PROPOSED, due_at__lt=now)

    def standing(self) -> Self:
        """Those that are posted or may still be: one for each transfer."""
        return self.filter(state__in=STANDING)

    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(no_key=True)


class Reversal(StatefulModel):
    """One operator's decision to reverse a transfer, and above the parameter the second one's."""

    TRANSITIONS = REVERSAL_TRANSITIONS
    HISTORY = "ReversalEvent"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="reversals")
    reversal_id = models.UUIDField(help_text="The id of the new transfer, which exists once this is posted.")
    state = models.CharField(max_length=10, choices=ReversalState, default=ReversalState.PROPOSED)
    two_person = models.BooleanField(help_text="Two operators decide: the amount was above the parameter.")
    proposed_by = models.UUIDField(null=True, help_text="The user who decided first, where one is known.")
    approved_by = models.UUIDField(null=True, help_text="The second user, where two decide.")
    reason = models.CharField(max_length=500)
    due_at = models.DateTimeField(help_text="A proposal expires then.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True)

    objects = ReversalQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(name="trading_reversal_due", fields=["due_at"], condition=Q(state="proposed"))]
        constraints = [
            models.CheckConstraint(name="trading_reversal_state_known", condition=Q(state__in=ReversalState.values)),
            models.UniqueConstraint(
                name="trading_reversal_once", fields=["transfer"], condition=Q(state__in=["proposed", "posted"])
            ),
            models.CheckConstraint(
                name="trading_reversal_two_decide",
                condition=Q(two_person=False)
                | ~Q(state="posted")
                | Q(proposed_by__isnull=False, approved_by__isnull=False) & ~Q(proposed_by=F("approved_by")),
            ),
        ]

    def __str__(self) -> str:
        return f"reversal of transfer {self.transfer_id}"

    @property
    def amount(self) -> int:
        """What it moves back, in micro-AIT."""
        return int(self.transfer.amount)


class ReversalEvent(AbstractTransition):
    """One step in the life of a reversal; append-only."""
