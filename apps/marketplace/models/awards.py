"""Awards: how auctions ended, with their proofs."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from aitbc.core.fields import AmountField, JSONField
from aitbc.core.ids import uuid7
from apps.marketplace.models.bids import MarketplaceBid
from apps.marketplace.models.demands import MarketplaceDemand


class Award(models.Model):
    """How an auction ended, with everything needed to compute it again; append-only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    demand = models.OneToOneField(MarketplaceDemand, on_delete=models.PROTECT, related_name="award")
    bid = models.ForeignKey(MarketplaceBid, on_delete=models.PROTECT, related_name="awards")
    price_hour = AmountField()
    proof = JSONField(help_text="Inputs and outcome, canonical.")
    digest = models.CharField(max_length=64)
    signature = JSONField()
    booking_id = models.UUIDField(editable=False, help_text="Made by the same clearing.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"award of {self.demand_id}"
