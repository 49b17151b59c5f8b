"""Bids of providers for demands."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from aitbc.core.fields import AmountField, JSONField
from aitbc.core.ids import uuid7
from aitbc.core.states import AbstractTransition, StatefulModel
from apps.marketplace.models.demands import MarketplaceDemand
from apps.marketplace.models.offers import MarketplaceOffer
from apps.marketplace.states import (
    BID_TRANSITIONS,
    BidState,
)


class BidQuerySet(models.QuerySet["MarketplaceBid"]):
    def made_by(self, bidder_id: UUID) -> Self:
        return self.filter(bidder_id=bidder_id)

    def on(self, demand_id: UUID) -> Self:
        return self.filter(demand_id=demand_id)

    def standing(self) -> Self:
        return self.filter(state__in=[BidState.PENDING, BidState.OPEN])

    def bonded(self) -> Self:
        """Bids whose bond is set aside or on its way."""
        return self.filter(bond__gt=0, bond_ended=False)

    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(no_key=True)


class MarketplaceBid(StatefulModel):
    """A provider's price for a demand, over one of its offers, with a bond behind it."""

    TRANSITIONS = BID_TRANSITIONS
    HISTORY = "BidTransition"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    external_id = models.CharField(max_length=100, blank=True)
    demand = models.ForeignKey(MarketplaceDemand, on_delete=models.PROTECT, related_name="bids")
    offer = models.ForeignKey(MarketplaceOffer, on_delete=models.PROTECT, related_name="bids")
    bidder_id = models.UUIDField()
    state = models.CharField(max_length=12, choices=BidState, default=BidState.PENDING)
    price_hour = AmountField(help_text="micro-AIT per hour for all the demand's GPUs together.")
    gpu_snapshot = JSONField(help_text="Model, memory, benchmark: the cards as they were when it was made.")
    bond = AmountField(default=0)
    bond_ended = models.BooleanField(default=False, help_text="Given back, forfeited, or refused.")
    note = models.CharField(max_length=500, blank=True)
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = BidQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="marketplace_bid_one_standing", fields=["demand", "offer"],
                condition=Q(state__in=[BidState.PENDING, BidState.OPEN]),
            ),
            models.UniqueConstraint(
                name="marketplace_bid_external", fields=["bidder_id", "external_id"], condition=~Q(external_id="")
            ),
            models.UniqueConstraint(name="marketplace_bid_one_winner", fields=["demand"], condition=Q(state="won")),
            models.CheckConstraint(name="marketplace_bid_state_known", condition=Q(state__in=BidState.values)),
            models.CheckConstraint(name="marketplace_bid_price", condition=Q(price_hour__gt=0)),
        ]  # fmt: skip
        indexes = [
            models.Index(name="marketplace_bid_bidder", fields=["bidder_id", "-created_at"]),
            models.Index(
                name="marketplace_bid_bonded", fields=["bidder_id"], condition=Q(bond__gt=0, bond_ended=False)
            ),
        ]

    def __str__(self) -> str:
        return f"bid {self.pk}"


class BidTransition(AbstractTransition):
    """One transition of a bid."""
