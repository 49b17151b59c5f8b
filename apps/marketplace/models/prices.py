"""Asks and trades over time: price ticks, and the cells of dynamic prices."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from aitbc.core.fields import AmountField


class PriceTick(models.Model):
    """One price at one moment: paid (a booking became active) or asked (an hourly look at open offers); append-only."""

    class Source(models.TextChoices):
        TRADE = "trade"
        ASK = "ask"

    id = models.BigAutoField(primary_key=True)
    source = models.CharField(max_length=6, choices=Source)
    gpu_model = models.CharField(max_length=120)
    region = models.CharField(max_length=64, blank=True)
    kind = models.CharField(max_length=12)
    provider_id = models.UUIDField(help_text="Not shown: it says how many providers stand behind a figure.")
    price_gpu_hour = AmountField()
    gpus = models.PositiveSmallIntegerField(help_text="How many were bought or offered at this price.")
    ref = models.UUIDField(help_text="The booking or offer.")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [models.UniqueConstraint(name="marketplace_tick_once", fields=["source", "ref", "at"])]
        indexes = [
            models.Index(name="marketplace_tick_cell", fields=["gpu_model", "region", "kind", "at"]),
            models.Index(name="marketplace_tick_at", fields=["source", "at"]),
        ]

    def __str__(self) -> str:
        return f"{self.source} of {self.gpu_model} at {self.at:%Y-%m-%d %H:%M:%S %Z}"


class PriceCell(models.Model):
    """One market of its own (model, region, kind): how busy it is, and by what factor its dynamic prices stand."""

    id = models.BigAutoField(primary_key=True)
    gpu_model = models.CharField(max_length=120)
    region = models.CharField(max_length=64, blank=True)
    kind = models.CharField(max_length=12)
    utilisation = models.FloatField(help_text="Moving average, half-life 30 minutes.")
    multiplier = models.FloatField(default=1.0)
    providers = models.PositiveIntegerField(default=0)
    held = models.BooleanField(default=False, help_text="Under three providers: prices stay.")
    moved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["gpu_model", "region", "kind"]
        constraints = [
            models.UniqueConstraint(name="marketplace_cell_once", fields=["gpu_model", "region", "kind"]),
            models.CheckConstraint(name="marketplace_cell_bounds", condition=Q(multiplier__gte=0.5, multiplier__lte=4)),
        ]

    def __str__(self) -> str:
        return f"{self.gpu_model} {self.region} {self.kind}: × {self.multiplier:.3f}"
