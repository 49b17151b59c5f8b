"""Miners: machines that do work for money."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from aitbc.core import params
from aitbc.core.fields import AmountField, JSONField
from aitbc.core.ids import uuid7
from aitbc.core.states import AbstractTransition, StatefulModel
from apps.gpu.logic.capabilities import Offer
from apps.gpu.logic.job_matching import Allocation, Candidate
from apps.gpu.states import MINER_TRANSITIONS, MinerState


class MinerQuerySet(models.QuerySet["Miner"]):
    def owned_by(self, owner_id: UUID) -> Self:
        return self.filter(owner_id=owner_id)

    def online(self) -> Self:
        return self.filter(state=MinerState.ONLINE)

    def present(self) -> Self:
        return self.exclude(state=MinerState.DEREGISTERED)


class Miner(StatefulModel):
    """A machine that does work for money. It belongs to the owner of the key that registered it."""

    TRANSITIONS = MINER_TRANSITIONS
    HISTORY = "MinerTransition"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner_id = models.UUIDField()
    key_id = models.CharField(
        max_length=64, help_text="The key it last registered with, for clients that name no miner."
    )
    name = models.CharField(max_length=128, help_text="What the miner calls itself; unique per owner.")
    session = models.CharField(max_length=64)
    state = models.CharField(max_length=20, choices=MinerState, default=MinerState.ONLINE)
    capabilities = JSONField(default=dict, help_text="As it was sent.")
    offer = JSONField(default=dict, help_text="The same, normalised for matching.")
    capability_version = models.IntegerField(default=1)
    concurrency = models.PositiveIntegerField(default=1)
    region = models.CharField(max_length=100, blank=True)
    price = AmountField(null=True, default=None, help_text="micro-AIT per hour; empty means the reference rate.")
    reputation = models.PositiveSmallIntegerField(default=500, help_text="Per mille of work done as promised.")
    metrics = JSONField(default=dict, help_text="As last reported; a claim only.")
    booked = JSONField(default=dict, help_text="Which of its cards are whose: written with the cards' states.")
    attention = models.IntegerField(default=0, help_text="Rises with each command and booking.")
    noted_at = models.DateTimeField(null=True, help_text="The minute of its last stored metrics.")
    judged_until = models.DateTimeField(null=True, help_text="Full hours before this one are judged.")
    last_heartbeat = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now, db_index=True, help_text="Anything but a heartbeat.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = MinerQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(name="gpu_miner_name", fields=["owner_id", "name"]),
            models.CheckConstraint(name="gpu_miner_state_known", condition=Q(state__in=MinerState.values)),
            models.CheckConstraint(
                name="gpu_miner_concurrency", condition=Q(concurrency__gte=1, concurrency__lte=1024)
            ),
        ]
        indexes = [
            models.Index(name="gpu_miner_key", fields=["key_id", "-created_at"]),
            models.Index(name="gpu_miner_named", fields=["name"]),
        ]

    def __str__(self) -> str:
        return self.name

    def candidate(self) -> Candidate:
        """This miner as matching sees it; its rate is the reference rate (micro-AIT per hour) where it has none."""
        return Candidate(
            id=str(self.pk),
            offer=Offer.from_json(self.offer),
            rate=params.get("jobs.reference_rate") if self.price is None else self.price,
            reputation=self.reputation,
            allocation=Allocation.from_json(self.booked),
            owner=str(self.owner_id),
        )


class MinerTransition(AbstractTransition):
    """One transition of a miner between its states."""
