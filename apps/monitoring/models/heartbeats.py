"""Heartbeats: whether what runs regularly still does."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models

from apps.monitoring.states import HeartbeatKind, Outcome


class HeartbeatQuerySet(models.QuerySet["Heartbeat"]):
    def overdue(self, now: datetime) -> Self:
        return self.filter(due_by__lt=now)


class Heartbeat(models.Model):
    """The latest run of one thing that runs regularly. The row is written by its check-ins, up to five seconds late.

    Failing (`failing_since`), hanging (started after it last finished) and silent (`due_by` has passed) are different
    things, and a row may be several of them.
    """

    kind = models.CharField(max_length=10, choices=HeartbeatKind)
    name = models.CharField(max_length=150)
    host = models.CharField(max_length=255, blank=True, help_text="The machine of the latest run.")
    expected_seconds = models.FloatField(help_text="It is to finish once in so many seconds.")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True, help_text="Of the last finished run.")
    detail = models.CharField(max_length=500, blank=True, help_text="The error of the last finished run.")
    failing_since = models.DateTimeField(null=True, help_text="The first of the failures without a success between.")
    due_by = models.DateTimeField(help_text="Unless it finishes before, it is overdue: it has missed a turn.")
    overdue_since = models.DateTimeField(null=True, help_text="When that was noticed and logged.")

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        ordering = ["kind", "name"]
        constraints = [
            models.UniqueConstraint(name="monitoring_heartbeat_once", fields=["kind", "name"]),
            models.CheckConstraint(
                name="monitoring_heartbeat_kind_known", condition=models.Q(kind__in=HeartbeatKind.values)
            ),
            models.CheckConstraint(
                name="monitoring_heartbeat_outcome_known", condition=models.Q(outcome__in=["", *Outcome.values])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def is_running(self) -> bool:
        """Whether its latest run has not ended, as far as is known."""
        return self.started_at is not None and (self.finished_at is None or self.finished_at < self.started_at)
