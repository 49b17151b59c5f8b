"""Demands of renters: so many GPUs of such a kind, for at most so much."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from aitbc.core.fields import AmountField, JSONField
from aitbc.core.ids import uuid7
from aitbc.core.states import AbstractTransition, StatefulModel
from apps.marketplace.states import (
    DEMAND_TRANSITIONS,
    AuctionFormat,
    DemandState,
)


class DemandQuerySet(models.QuerySet["MarketplaceDemand"]):
    def of_renter(self, renter_id: UUID) -> Self:
        return self.filter(renter_id=renter_id)

    def open(self) -> Self:
        return self.filter(state=DemandState.OPEN)

    def published(self) -> Self:
        return self.exclude(state=DemandState.DRAFT)

    def taking_bids(self, now: datetime) -> Self:
        """Open, and their auction (if they have one) is not over."""
        return self.open().filter(Q(closes_at=None) | Q(closes_at__gt=now))

    def to_close(self, now: datetime) -> Self:
        return self.filter(state__in=[DemandState.OPEN, DemandState.CLOSING], closes_at__lte=now)

    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(no_key=True)


class MarketplaceDemand(StatefulModel):
    """A renter's wish: so many GPUs of such a kind, for so long, for at most so much. Providers bid for it."""

    TRANSITIONS = DEMAND_TRANSITIONS
    HISTORY = "DemandTransition"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    external_id = models.CharField(max_length=100, blank=True, help_text="The client's own id; unique per renter.")
    renter_id = models.UUIDField()
    renter_name = models.CharField(max_length=150, blank=True, help_text="As a legacy client calls itself; shown only.")
    state = models.CharField(max_length=16, choices=DemandState, default=DemandState.DRAFT)
    title = models.CharField(max_length=200, blank=True)
    gpu_models = ArrayField(models.CharField(max_length=120), default=list, help_text="Any of these; empty: any.")
    gpu_count = models.PositiveSmallIntegerField(default=1)
    min_memory_mb = models.PositiveIntegerField(default=0)
    region = models.CharField(max_length=64, blank=True)
    filter = models.CharField(max_length=2000, blank=True, help_text="More wishes, in the grammar of the search.")
    constraints = models.CharField(max_length=2000, blank=True, help_text="CEL over the offer and its provider.")
    budget_hour = AmountField(help_text="micro-AIT per hour for all its GPUs together, at most.")
    reserve_hour = AmountField(null=True, default=None, help_text="What a single bidder is paid (second score).")
    duration_s = models.PositiveIntegerField()
    start_by = models.DateTimeField(null=True, help_text="A booking that cannot start by then is of no use.")
    auction = models.CharField(max_length=12, choices=AuctionFormat, default=AuctionFormat.PAY_AS_BID)
    weights = JSONField(default=dict, help_text="price, quality, reliability: basis points that sum to 10000.")
    closes_at = models.DateTimeField(null=True, help_text="Empty: standing; awarded by hand or by a match.")
    specs = JSONField(default=dict, help_text="As a legacy client described it.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = DemandQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="marketplace_demand_external", fields=["renter_id", "external_id"], condition=~Q(external_id="")
            ),
            models.CheckConstraint(name="marketplace_demand_state_known", condition=Q(state__in=DemandState.values)),
            models.CheckConstraint(name="marketplace_demand_budget", condition=Q(budget_hour__gt=0)),
            models.CheckConstraint(name="marketplace_demand_count", condition=Q(gpu_count__gte=1)),
            models.CheckConstraint(
                name="marketplace_demand_reserve",
                condition=Q(reserve_hour=None) | Q(reserve_hour__lte=F("budget_hour")),
            ),
        ]
        indexes = [
            models.Index(name="marketplace_demand_renter", fields=["renter_id", "-created_at"]),
            models.Index(
                name="marketplace_demand_closes", fields=["closes_at"],
                condition=Q(state__in=[DemandState.OPEN, DemandState.CLOSING]),
            ),
            models.Index(name="marketplace_demand_listed", fields=["-created_at"], condition=Q(state="open")),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"demand {self.pk}"


class DemandTransition(AbstractTransition):
    """One transition of a demand."""
