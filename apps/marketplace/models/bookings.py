"""GPU time sold: bookings, the slots and seconds they occupy, and what was measured and paid."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import ExpressionWrapper, F, Q
from django.utils import timezone

from aitbc.core.fields import AmountField
from aitbc.core.ids import uuid7
from aitbc.core.states import AbstractTransition, StatefulModel
from apps.marketplace.models.demands import MarketplaceDemand
from apps.marketplace.models.offers import MarketplaceOffer
from apps.marketplace.models.quotes import Quote
from apps.marketplace.states import BOOKING_TRANSITIONS, BROKEN, LIVE, RUNNING, BookingState


class BookingQuerySet(models.QuerySet["GPUBooking"]):
    def rented_by(self, renter_id: UUID) -> Self:
        return self.filter(renter_id=renter_id)

    def provided_by(self, provider_id: UUID) -> Self:
        return self.filter(provider_id=provider_id)

    def of_party(self, owner_id: UUID) -> Self:
        return self.filter(Q(renter_id=owner_id) | Q(provider_id=owner_id))

    def live(self) -> Self:
        return self.filter(state__in=LIVE)

    def running(self) -> Self:
        return self.filter(state__in=RUNNING)

    def due_to_start(self, now: datetime) -> Self:
        return self.filter(state=BookingState.RESERVED, starts_at__lte=now)

    def not_provisioned(self, now: datetime) -> Self:
        return self.filter(state=BookingState.PROVISIONING, provision_by__lt=now)

    def over(self, now: datetime) -> Self:
        return self.running().filter(ends_at__lte=now)

    def to_meter(self, before: datetime) -> Self:
        """Running ones whose use is accounted for up to an earlier moment than this."""
        accounted = ExpressionWrapper(
            F("activated_at") + F("metered_ms") * timedelta(milliseconds=1), output_field=models.DateTimeField()
        )
        return self.running().alias(accounted_until=accounted).filter(accounted_until__lt=before)

    def unanswered(self, before: datetime) -> Self:
        """Those trading owes an answer: is the money there, how was it divided."""
        return self.filter(Q(state=BookingState.REQUESTED, created_at__lt=before) | self.over_unsettled(before))

    @staticmethod
    def over_unsettled(before: datetime) -> Q:
        return Q(state__in=[BookingState.ENDED, *BROKEN], ended_at__lt=before)

    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(no_key=True)

    def locked_alone(self) -> Self:
        """The row itself, not what was joined to it."""
        return self.order_by("pk").select_for_update(no_key=True, of=("self",))

    def locked_free(self) -> Self:
        """Those nobody else has in hand: two sweeps at once share the work."""
        return self.order_by("pk").select_for_update(no_key=True, skip_locked=True)


class GPUBooking(StatefulModel):
    """Some GPUs of one offer for one renter for a span of time, at a price frozen when it was made."""

    TRANSITIONS = BOOKING_TRANSITIONS
    HISTORY = "BookingTransition"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    offer = models.ForeignKey(MarketplaceOffer, on_delete=models.PROTECT, related_name="bookings")
    demand = models.ForeignKey(MarketplaceDemand, on_delete=models.PROTECT, null=True, related_name="bookings")
    quote = models.OneToOneField(Quote, on_delete=models.PROTECT, null=True, related_name="booking")
    renter_id = models.UUIDField()
    provider_id = models.UUIDField()
    miner_id = models.UUIDField(null=True)
    state = models.CharField(max_length=20, choices=BookingState, default=BookingState.REQUESTED)
    gpu_count = models.PositiveSmallIntegerField()
    gpu_model = models.CharField(max_length=120, blank=True)
    region = models.CharField(max_length=64, blank=True)
    kind = models.CharField(max_length=12)
    rate = AmountField(help_text="micro-AIT per hour in all: GPUs and storage, frozen.")
    price_gpu_hour = AmountField()
    storage_gb = models.PositiveIntegerField(default=0)
    fee_bp = models.PositiveIntegerField()
    min_charge_s = models.PositiveIntegerField(help_text="Charged at least, once it is active.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="Planned; an extension or a reclaim moves it.")
    provision_by = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True, help_text="The provider said so, perhaps before its time.")
    activated_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, help_text="When the meter stopped.")
    reclaim_at = models.DateTimeField(null=True, help_text="The provider gave notice for this moment.")
    escrow = AmountField(default=0, help_text="Set aside by the renter; asked for, while requested.")
    bond = AmountField(default=0, help_text="Pledged by the provider.")
    metered_ms = models.BigIntegerField(default=0, help_text="Milliseconds accounted for so far.")
    carry = models.BigIntegerField(default=0, help_text="Remainder of rate × ms, modulo 3,600,000.")
    owed = AmountField(default=0, help_text="Metered so far, fee included.")
    slices = models.PositiveIntegerField(default=0)
    compensation = AmountField(default=0, help_text="From the bond to the renter.")
    paid = AmountField(default=0, help_text="To the provider, after the fee; known when settled.")
    fee = AmountField(default=0)
    refunded = AmountField(default=0)
    outcome = models.CharField(max_length=20, blank=True, help_text="The state it ended in, kept once settled.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = BookingQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = "booking"
        constraints = [
            models.CheckConstraint(name="marketplace_booking_state_known", condition=Q(state__in=BookingState.values)),
            models.CheckConstraint(name="marketplace_booking_span", condition=Q(ends_at__gt=F("starts_at"))),
            models.CheckConstraint(name="marketplace_booking_two_parties", condition=~Q(renter_id=F("provider_id"))),
            models.CheckConstraint(name="marketplace_booking_owes_no_more", condition=Q(owed__lte=F("escrow"))),
            models.UniqueConstraint(
                name="marketplace_booking_of_demand", fields=["demand"], condition=Q(state__in=LIVE)
            ),
        ]
        indexes = [
            models.Index(name="marketplace_booking_renter", fields=["renter_id", "-created_at"]),
            models.Index(name="marketplace_booking_provider", fields=["provider_id", "-created_at"]),
            models.Index(name="marketplace_booking_live", fields=["state", "ends_at"], condition=Q(state__in=LIVE)),
            models.Index(name="marketplace_booking_cell", fields=["gpu_model", "region", "starts_at"]),
        ]

    def __str__(self) -> str:
        return f"booking {self.pk}"


class BookingTransition(AbstractTransition):
    """One transition of a booking."""


class BookingSlice(models.Model):
    """One slot for one span of time. PostgreSQL itself refuses a second live one that overlaps (M1)."""

    id = models.BigAutoField(primary_key=True)
    booking = models.ForeignKey(GPUBooking, on_delete=models.PROTECT, related_name="slot_slices")
    slot = models.UUIDField()
    period = DateTimeRangeField(help_text="Half-open; cut short when the booking ends early.")
    live = models.BooleanField(default=True, help_text="False: never used, or over.")

    class Meta:
        ordering = ["booking_id", "slot"]
        constraints = [
            ExclusionConstraint(
                name="marketplace_slot_sold_once",
                expressions=[("slot", RangeOperators.EQUAL), ("period", RangeOperators.OVERLAPS)],
                condition=Q(live=True),
            ),
            models.UniqueConstraint(name="marketplace_slice_once", fields=["booking", "slot"]),
        ]

    def __str__(self) -> str:
        return f"{self.slot} {self.period}"


class ExtensionQuerySet(models.QuerySet["BookingExtension"]):
    def pending(self) -> Self:
        return self.filter(state=BookingExtension.State.REQUESTED)

    def held(self) -> Self:
        return self.filter(state=BookingExtension.State.HELD)


class BookingExtension(models.Model):
    """A request for more time, and whether the money for it could be set aside."""

    class State(models.TextChoices):
        REQUESTED = "asked", "Asked"
        HELD = "held"
        REFUSED = "refused"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    booking = models.ForeignKey(GPUBooking, on_delete=models.PROTECT, related_name="extensions")
    seconds = models.PositiveIntegerField()
    rate = AmountField(help_text="micro-AIT per hour in all, from from_at on.")
    from_at = models.DateTimeField(help_text="The end it had before.")
    amount = AmountField()
    state = models.CharField(max_length=8, choices=State, default=State.REQUESTED)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ExtensionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="marketplace_extension_one_asked", fields=["booking"], condition=Q(state="asked")
            )
        ]

    def __str__(self) -> str:
        return f"{self.seconds} s more for {self.booking_id}"

    @property
    def until(self) -> datetime:
        """The end it leads to."""
        return self.from_at + timedelta(seconds=self.seconds)
