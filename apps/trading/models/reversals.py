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


class ReversalQuerySet(models.QuerySet["Reversal"]):
    def overdue(self, now: datetime) -> Self:
        return self.filter(state=ReversalState.PROPOSED, due_at__lt=now)

    def not_copied(self) -> Self:
        """Those whose history is not yet in the log of privileged acts as a whole."""
        return self.filter(copied__lt=F("version"))

    def standing(self) -> Self:
        return self.filter(state__in=[ReversalState.PROPOSED, ReversalState.POSTED])

    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(no_key=True)


class Reversal(StatefulModel):
    """One operator's decision to reverse a transfer, and above the parameter the second one's."""

    TRANSITIONS = REVERSAL_TRANSITIONS
    HISTORY = "ReversalEvent"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="reversals")
    reversal_id = models.UUIDField(help_text="The id of the new transfer, once it is posted.")
    state = models.CharField(max_length=10, choices=ReversalState, default=ReversalState.PROPOSED)
    two_person = models.BooleanField(help_text="Two operators decide: the amount is above the parameter.")
    proposed_by = models.UUIDField(null=True, help_text="The user who proposed it, where the operator is known as one.")
    approved_by = models.UUIDField(null=True, help_text="The second user, where two decide.")
    reason = models.CharField(max_length=500)
    due_at = models.DateTimeField(help_text="A proposal expires then.")
    copied = models.IntegerField(default=-1, editable=False, help_text="Last step in the log of privileged acts.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True)

    objects = ReversalQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(name="trading_reversal_due", fields=["due_at"], condition=Q(state="proposed")),
            models.Index(name="trading_reversal_copy", fields=["id"], condition=Q(copied__lt=F("version"))),
        ]
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
