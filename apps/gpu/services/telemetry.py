"""Measurements of GPUs: heartbeats write them (heartbeats.BEAT), expired ones are deleted here."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from aitbc.core.db import atomic
from apps.gpu.models import EdgeGPUMetrics

RETENTION_DAYS = 30


def delete_expired(*, days: int = RETENTION_DAYS) -> int:
    """Delete measurements older than this many days; returns how many rows."""
    with atomic(EdgeGPUMetrics):
        return EdgeGPUMetrics.objects.filter(at__lt=timezone.now() - timedelta(days=days)).delete()[0]
