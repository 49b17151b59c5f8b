"""Quotes: prices kept open for one renter for a minute."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from aitbc.core.fields import AmountField, JSONField
from aitbc.core.ids import uuid7
from apps.marketplace.models.offers import MarketplaceOffer


class Quote(models.Model):
    """A price the exchange keeps open for one renter for a minute, signed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    offer = models.ForeignKey(MarketplaceOffer, on_delete=models.PROTECT, related_name="quotes")
    renter_id = models.UUIDField(db_index=True)
    gpu_count = models.PositiveSmallIntegerField()
    duration_s = models.PositiveIntegerField()
    starts_at = models.DateTimeField(null=True, help_text="Empty: at once.")
    storage_gb = models.PositiveIntegerField(default=0)
    price_gpu_hour = AmountField()
    price_storage_gb_month = AmountField(default=0)
    body = JSONField(help_text="Itemised, canonical: what is signed.")
    signature = JSONField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(name="marketplace_quote_expiry", fields=["expires_at"])]

    def __str__(self) -> str:
        return f"quote {self.pk}"
