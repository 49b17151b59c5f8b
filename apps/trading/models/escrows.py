"""Escrows of bookings: each has an account of its own, because it pays out many times before it closes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from aitbc.core.fields import AmountField
from aitbc.core.ids import uuid7
from aitbc.core.states import AbstractTransition, StatefulModel
from apps.trading.states import ESCROW_TRANSITIONS, EscrowState


class EscrowQuerySet(models.QuerySet["Escrow"]):
    def held(self) -> Self:
        return self.filter(state=EscrowState.HELD)

    def of_bookings(self, booking_ids: Iterable[UUID]) -> Self:
        return self.filter(booking_id__in=list(booking_ids))

    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(no_key=True)


class Escrow(StatefulModel):
    """The money of one booking's renter; its account holds amount − paid − fee − refunded at every instant."""

    TRANSITIONS = ESCROW_TRANSITIONS
    HISTORY = "EscrowEvent"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    booking_id = models.UUIDField(unique=True)
    renter_id = models.UUIDField(db_index=True)
    provider_id = models.UUIDField(db_index=True)
    state = models.CharField(max_length=8, choices=EscrowState, default=EscrowState.HELD)
    amount = AmountField(default=0, help_text="Set aside so far, extensions included.")
    fee_bp = models.PositiveIntegerField(help_text="Fee in 1/10000, frozen with the booking.")
    paid = AmountField(default=0, help_text="To the provider, after the fee.")
    fee = AmountField(default=0)
    refunded = AmountField(default=0)
    slices = models.PositiveIntegerField(default=0, help_text="Slices of use paid so far.")
    refused_party = models.CharField(max_length=8, blank=True, help_text="Who could not pay: renter or provider.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True)

    objects = EscrowQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(name="trading_escrow_state_known", condition=Q(state__in=EscrowState.values)),
            models.CheckConstraint(
                name="trading_escrow_pays_no_more", condition=Q(amount__gte=F("paid") + F("fee") + F("refunded"))
            ),
            models.CheckConstraint(
                name="trading_escrow_closed_is_empty",
                condition=~Q(state="closed") | Q(amount=F("paid") + F("fee") + F("refunded")),
            ),
        ]

    def __str__(self) -> str:
        return f"escrow of booking {self.booking_id}"


class EscrowEvent(AbstractTransition):
    """One step in the life of an escrow; append-only."""


class Topup(models.Model):
    """More money for a booking's extension, whose id it has: held or refused, once; append-only."""

    id = models.UUIDField(primary_key=True, editable=False)
    escrow = models.ForeignKey(Escrow, on_delete=models.PROTECT, related_name="topups")
    amount = AmountField()
    held = models.BooleanField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"top-up {self.pk}"
