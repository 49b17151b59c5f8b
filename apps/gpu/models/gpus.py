"""The registry: one row per GPU of a miner, with its state and its history."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from aitbc.core.fields import AmountField, JSONField
from aitbc.core.ids import uuid7
from aitbc.core.states import AbstractTransition, StatefulModel
from apps.gpu.models.miners import Miner
from apps.gpu.models.profiles import ConsumerGPUProfile
from apps.gpu.states import BOOKED, GPU_TRANSITIONS, RENTABLE, GpuState


class GPUQuerySet(models.QuerySet["GPURegistry"]):
    def owned_by(self, owner_id: UUID) -> Self:
        return self.filter(owner_id=owner_id)

    def of_miner(self, miner_id: UUID) -> Self:
        return self.filter(miner_id=miner_id)

    def present(self) -> Self:
        return self.exclude(state=GpuState.RETIRED)

    def rentable(self) -> Self:
        return self.filter(state__in=RENTABLE)

    def booked(self) -> Self:
        return self.filter(state__in=BOOKED)

    def named(self, ids: Collection[UUID]) -> Self:
        return self.filter(pk__in=ids)

    def due_for_retest(self, now: datetime) -> Self:
        return self.rentable().filter(retest_at__lt=now)

    def of_booking(self, booking_id: UUID) -> Self:
        return self.filter(booking_id=booking_id)

    def visible_to(self, owner_id: UUID) -> Self:
        """Cards of this owner, and those a running booking lends to it."""
        return self.filter(Q(owner_id=owner_id) | Q(renter_id=owner_id, state__in=BOOKED))

    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(no_key=True)


class GPURegistry(StatefulModel):
    """One device of one miner: a graphics card, or the processor of a machine that has none."""

    TRANSITIONS = GPU_TRANSITIONS
    HISTORY = "GPUTransition"

    class Kind(models.TextChoices):
        GPU = "gpu"
        CPU = "cpu"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    miner = models.ForeignKey(Miner, on_delete=models.PROTECT, related_name="gpus")
    owner_id = models.UUIDField(db_index=True)
    external_id = models.CharField(max_length=64, blank=True, help_text="The id a client gave it; unique per owner.")
    kind = models.CharField(max_length=4, choices=Kind, default=Kind.GPU)
    position = models.PositiveSmallIntegerField(help_text="Its place in the miner's list.")
    uuid = models.CharField(max_length=80, blank=True, help_text="As its driver reports it; empty from legacy clients.")
    name = models.CharField(max_length=120, help_text="As reported.")
    profile = models.ForeignKey(
        ConsumerGPUProfile, on_delete=models.PROTECT, null=True, help_text="Empty: no model of the catalogue fits."
    )
    profile_likeness = models.FloatField(default=0, help_text="0 to 100: how well the reported name fits.")
    memory_mb = models.PositiveIntegerField(default=0)
    driver = models.CharField(max_length=40, blank=True)
    cuda = models.CharField(max_length=40, blank=True)
    architecture = models.CharField(max_length=40, blank=True)
    details = JSONField(default=dict, help_text="PCIe, power limits, MIG, clocks: as reported.")
    price_per_hour = AmountField(null=True, default=None, help_text="micro-AIT; empty means its miner's price.")
    state = models.CharField(max_length=20, choices=GpuState, default=GpuState.REGISTERED)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it is quarantined or offline.")
    paused = models.BooleanField(default=False, help_text="Its owner took it off the market.")
    booking_id = models.UUIDField(null=True, help_text="The booking that holds it.")
    renter_id = models.UUIDField(null=True)
    verified_at = models.DateTimeField(null=True, help_text="When it last passed a benchmark.")
    retest_at = models.DateTimeField(null=True)
    score = models.FloatField(null=True, help_text="Geometric mean of its ratios to an RTX 3090 = 100.")
    measured = JSONField(default=dict, help_text="Results of the last benchmark it passed.")
    learned = JSONField(default=dict, help_text="Efficiencies and power sweep learned from its measurements.")
    latest = JSONField(default=dict, help_text="Metrics of its last heartbeat.")
    announced = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the last published fact.")
    seq = models.BigIntegerField(default=0, help_text="Number of published facts: a later one has a larger seq.")
    seen_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = GPUQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = "GPU"
        constraints = [
            # Two claims to one card may stand side by side only while both are in quarantine.
            models.UniqueConstraint(
                name="gpu_registry_uuid", fields=["uuid"],
                condition=~Q(uuid="") & ~Q(state__in=[GpuState.QUARANTINED, GpuState.RETIRED]),
            ),
            models.UniqueConstraint(name="gpu_registry_uuid_of_miner", fields=["miner", "uuid"], condition=~Q(uuid="")),
            models.UniqueConstraint(
                name="gpu_registry_external", fields=["owner_id", "external_id"], condition=~Q(external_id="")
            ),
            models.CheckConstraint(name="gpu_registry_state_known", condition=Q(state__in=GpuState.values)),
            models.CheckConstraint(
                name="gpu_registry_booked", condition=~Q(state__in=BOOKED) | Q(booking_id__isnull=False)
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(name="gpu_registry_booking", fields=["booking_id"], condition=Q(booking_id__isnull=False)),
            models.Index(name="gpu_registry_retest", fields=["retest_at"], condition=Q(retest_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.memory_mb} MB)"

    @property
    def verified(self) -> bool:
        return self.verified_at is not None and self.state != GpuState.QUARANTINED


class GPUTransition(AbstractTransition):
    """One transition of a GPU between its states."""
