"""Bonds: money an owner pledges for a booking or a bid."""

from __future__ import annotations

import uuid
from typing import Self

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from aitbc.core.fields import AmountField
from aitbc.core.states import AbstractTransition, StatefulModel
from apps.trading.states import BOND_TRANSITIONS, BondState


class BondQuerySet(models.QuerySet["Bond"]):
    def held(self) -> Self:
        return self.filter(state=BondState.HELD)

    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(no_key=True)


class Bond(StatefulModel):
    """Money pledged by a provider for a booking, or by a bidder for a bid; its id is that of the booking or bid."""

    TRANSITIONS = BOND_TRANSITIONS
    HISTORY = "BondEvent"

    id = models.UUIDField(primary_key=True, editable=False, help_text="What it is for.")
    ref = models.UUIDField(
        unique=True, editable=False, default=uuid.uuid4, db_default=RandomUUID(),
        help_text="Its name in the public ledger: bids are public too, and nobody may learn whose account pledged.",
    )  # fmt: skip
    owner_id = models.UUIDField(db_index=True)
    amount = AmountField()
    hold_id = models.UUIDField(null=True, help_text="The pending transfer that sets it aside.")
    state = models.CharField(max_length=10, choices=BondState, default=BondState.HELD)
    forfeited = AmountField(default=0)
    beneficiary_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True)

    objects = BondQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(name="trading_bond_state_known", condition=Q(state__in=BondState.values)),
            models.CheckConstraint(name="trading_bond_forfeits_no_more", condition=Q(forfeited__lte=F("amount"))),
        ]

    def __str__(self) -> str:
        return f"bond {self.pk}"


class BondEvent(AbstractTransition):
    """One step in the life of a bond; append-only."""
