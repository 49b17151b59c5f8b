"""Benchmarks: one challenge to one GPU, and its verdict."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone

from aitbc.core.fields import JSONField
from aitbc.core.ids import uuid7
from aitbc.core.states import AbstractTransition, StatefulModel
from apps.gpu.models.gpus import GPURegistry
from apps.gpu.states import BENCHMARK_TRANSITIONS, BenchmarkState


class BenchmarkQuerySet(models.QuerySet["GPUBenchmark"]):
    def open(self) -> Self:
        return self.filter(state__in=[BenchmarkState.REQUESTED, BenchmarkState.COMMITTED])

    def of_miner(self, miner_id: UUID) -> Self:
        return self.filter(gpu__miner_id=miner_id)

    def of_owner(self, owner_id: UUID) -> Self:
        return self.filter(gpu__owner_id=owner_id)

    def overdue(self, now: datetime) -> Self:
        return self.open().filter(due_at__lt=now)


class GPUBenchmark(StatefulModel):
    """One challenge to one card, with a nonce nobody knew before, and its verdict."""

    TRANSITIONS = BENCHMARK_TRANSITIONS
    HISTORY = "BenchmarkTransition"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    gpu = models.ForeignKey(GPURegistry, on_delete=models.CASCADE, related_name="benchmarks")
    suite = models.CharField(max_length=20, help_text="Version of the suite: results of two versions are not compared.")
    state = models.CharField(max_length=12, choices=BenchmarkState, default=BenchmarkState.REQUESTED)
    nonce = models.CharField(max_length=64)
    task = JSONField(default=dict, help_text="Sizes, rounds and memory to fill.")
    commitment = JSONField(default=dict, help_text="What the miner bound itself to before it knew the question.")
    question = JSONField(default=dict, help_text="Drawn after the commitment.")
    results = JSONField(default=dict, help_text="As the miner measured them.")
    environment = JSONField(default=dict)
    device = models.CharField(max_length=10, blank=True, help_text="cuda, rocm or cpu")
    verdict = JSONField(default=dict, help_text="Measured over catalogue, term by term, and why.")
    score = models.FloatField(null=True)
    requested_by = models.CharField(max_length=120)
    requested_at = models.DateTimeField(default=timezone.now)
    begun_at = models.DateTimeField(null=True, help_text="When the miner received the nonce: the clock starts.")
    due_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    command = models.ForeignKey(
        "gpu.MinerCommand",
        on_delete=models.SET_NULL,
        null=True,
        db_column="order_id",
        related_name="benchmarks",
        help_text="The command by which its miner learns of it.",
    )
    proves = models.ForeignKey(
        "gpu.MinerCommand", on_delete=models.SET_NULL, null=True, related_name="proofs",
        help_text="The change of settings whose effect it measures.",
    )  # fmt: skip

    objects = BenchmarkQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="gpu_benchmark_one_open", fields=["gpu"],
                condition=Q(state__in=[BenchmarkState.REQUESTED, BenchmarkState.COMMITTED]),
            ),
            models.UniqueConstraint(name="gpu_benchmark_nonce", fields=["nonce"]),
            models.CheckConstraint(name="gpu_benchmark_state_known", condition=Q(state__in=BenchmarkState.values)),
        ]  # fmt: skip
        indexes = [
            models.Index(
                name="gpu_benchmark_due", fields=["due_at"],
                condition=Q(state__in=[BenchmarkState.REQUESTED, BenchmarkState.COMMITTED]),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"benchmark of {self.gpu_id}: {self.state}"


class BenchmarkTransition(AbstractTransition):
    """One transition of a benchmark."""
