"""Filters of job lists, validated like any other input; states by their own names or their legacy names."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from aitbc.core.serializers import LenientSerializer, TimestampField
from apps.ai.models import AIJob
from apps.ai.states import JobState

LEGACY_STATES: dict[str, list[str]] = {
    "pending": [JobState.SUBMITTED, JobState.QUEUED],
    "completed": [JobState.SUCCEEDED, JobState.SETTLED],
    "canceled": [JobState.CANCELLING, JobState.CANCELLED],
}


class StateField(serializers.CharField):
    """One state or several separated by commas, in either case; the internal value is a list of states."""

    default_error_messages = {"unknown": "No such state: {name}."}

    def to_internal_value(self, data: Any) -> Any:
        states: list[str] = []
        for name in super().to_internal_value(data).lower().split(","):
            if name not in LEGACY_STATES and name not in JobState.values:
                self.fail("unknown", name=name[:40])
            states += LEGACY_STATES.get(name, [name])
        return states


class JobFilterSerializer(LenientSerializer):
    """What a list of jobs can be narrowed to."""

    state = StateField(required=False)
    status = StateField(required=False)
    task_type = serializers.CharField(max_length=100, required=False)
    type = serializers.CharField(max_length=100, required=False)
    from_time = TimestampField(required=False)
    to_time = TimestampField(required=False)


def apply_filters(jobs: QuerySet[AIJob], filters: dict[str, Any]) -> QuerySet[AIJob]:
    """Return the jobs that pass validated filters; from_time and to_time are about the time of submission."""
    for name in ("state", "status"):
        if name in filters:
            jobs = jobs.filter(state__in=filters[name])
    for name in ("task_type", "type"):
        if name in filters:
            jobs = jobs.filter(task_type=filters[name])
    if "from_time" in filters:
        jobs = jobs.filter(created_at__gte=filters["from_time"])
    if "to_time" in filters:
        jobs = jobs.filter(created_at__lt=filters["to_time"])
    return jobs
