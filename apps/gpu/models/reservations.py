"""Bookings as gpu sees them: which GPUs are reserved for whom, and from when on."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone


class ReservationQuerySet(models.QuerySet["Reservation"]):
    def open(self) -> Self:
        return self.filter(closed_at=None)

    def held(self) -> Self:
        return self.open().exclude(held_at=None)

    def of_miner(self, miner_id: UUID) -> Self:
        return self.filter(miner_id=miner_id)

    def over_gpu(self, gpu_id: UUID) -> Self:
        return self.filter(gpu_ids__contains=[gpu_id])

    def due(self, now: datetime) -> Self:
        """Its time has come, and its cards are not set aside yet."""
        return self.open().filter(held_at=None, starts_at__lte=now)

    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(no_key=True)


class Reservation(models.Model):
    """One booking of a miner's cards. The marketplace owns its state; this row has what gpu did, and when."""

    booking_id = models.UUIDField(primary_key=True, editable=False)
    renter_id = models.UUIDField()
    provider_id = models.UUIDField()
    miner_id = models.UUIDField()
    gpu_ids = ArrayField(models.UUIDField())
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    held_at = models.DateTimeField(null=True, help_text="Its cards are set aside since.")
    ready_at = models.DateTimeField(null=True, help_text="The miner reported them ready.")
    started_at = models.DateTimeField(null=True, help_text="The renter has them since.")
    broken_at = models.DateTimeField(null=True, help_text="A card of it was lost; BookingBroken is published.")
    closed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ReservationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(name="gpu_reservation_open", fields=["miner_id"], condition=Q(closed_at=None)),
            models.Index(name="gpu_reservation_due", fields=["starts_at"], condition=Q(closed_at=None, held_at=None)),
            GinIndex(name="gpu_reservation_cards", fields=["gpu_ids"]),
        ]

    def __str__(self) -> str:
        return f"booking {self.booking_id}"
