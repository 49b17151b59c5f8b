"""What checks in, and how a run ends."""

from __future__ import annotations

from django.db import models


class HeartbeatKind(models.TextChoices):
    """What a heartbeat belongs to."""

    QUEUE = "queue", "Queue: a task came through beat, Valkey and a worker"
    RELAY = "relay", "Relay: its loop over all domains came round"
    TASK = "task", "Task: an entry of the schedule was run"


class Outcome(models.TextChoices):
    """How the last finished run ended; empty before the first."""

    OK = "ok", "OK"
    FAILED = "failed", "Failed"
