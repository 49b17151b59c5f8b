"""Commands to miners: rescan, change settings, run a benchmark."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from aitbc.core.fields import JSONField
from aitbc.core.ids import uuid7
from aitbc.core.states import AbstractTransition, StatefulModel
from apps.gpu.models.gpus import GPURegistry
from apps.gpu.models.miners import Miner
from apps.gpu.states import COMMAND_TRANSITIONS, CommandState


class CommandQuerySet(models.QuerySet["MinerCommand"]):
    def open(self) -> Self:
        return self.filter(state=CommandState.OPEN)

    def overdue(self, now: datetime) -> Self:
        return self.open().filter(due_at__lt=now)

    def unmeasured(self, before: datetime) -> Self:
        """Settings applied before this time of whose effect nobody requested a benchmark; reverted ones need none."""
        applied = self.filter(kind=MinerCommand.Kind.APPLY, state=CommandState.ANSWERED, ended_at__lt=before)
        return applied.filter(proofs=None).exclude(answer__has_key="outcome").exclude(body__has_key="reverts")


class MinerCommand(StatefulModel):
    """A command to a miner beside its jobs: rescan its GPUs, set a power limit, run a benchmark."""

    TRANSITIONS = COMMAND_TRANSITIONS
    HISTORY = "CommandTransition"

    class Kind(models.TextChoices):
        SCAN = "scan"
        APPLY = "apply"
        BENCHMARK = "benchmark"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    miner = models.ForeignKey(Miner, on_delete=models.CASCADE, related_name="commands")
    gpu = models.ForeignKey(GPURegistry, on_delete=models.CASCADE, null=True, related_name="commands")
    kind = models.CharField(max_length=10, choices=Kind)
    state = models.CharField(max_length=10, choices=CommandState, default=CommandState.OPEN)
    body = JSONField(default=dict, help_text="Details; settings are within the limits that the card reports.")
    signature = JSONField(default=dict, help_text="Ed25519 over the canonical body; a miner obeys no other.")
    answer = JSONField(default=dict)
    actor = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = CommandQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [models.CheckConstraint(name="gpu_order_state_known", condition=Q(state__in=CommandState.values))]
        indexes = [models.Index(name="gpu_order_open", fields=["miner", "created_at"], condition=Q(state="open"))]

    def __str__(self) -> str:
        return f"{self.kind} for {self.miner_id}: {self.state}"


class CommandTransition(AbstractTransition):
    """One transition of a command."""
