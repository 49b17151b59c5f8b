"""Filters of job lists, validated like any other input; states in this API's words or the seed's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from aitbc.core.serializers import LenientSerializer
from apps.ai.models import AIJob
from apps.ai.states import JobState

SEED_WORDS: dict[str, list[str]] = {
    "pending": [JobState.SUBMITTED, JobState.QUEUED],
    "completed": [JobState.SUCCEEDED, JobState.SETTLED],
    "canceled": [JobState.CANCELLED],
}


class StateField(serializers.CharField):
    """A state, or several with commas between; upper case will do."""

    default_error_messages = {"unknown": "No such state: {word}."}

    def to_internal_value(self, data: Any) -> list[str]:
        found: list[str] = []
        for word in super().to_internal_value(data).lower().split(","):
            if word not in SEED_WORDS and word not in JobState.values:
                self.fail("unknown", word=word[:40])
            found += SEED_WORDS.get(word, [word])
        return found


class Moment(serializers.DateTimeField):
    """A time in RFC 3339; a naive one is UTC."""

    def enforce_timezone(self, value: datetime) -> datetime:
        return value if value.tzinfo else value.replace(tzinfo=UTC)


class JobFilterSerializer(LenientSerializer):
    """What a list of jobs can be narrowed to."""

    state = StateField(required=False)
    status = StateField(required=False)
    task_type = serializers.CharField(max_length=100, required=False)
    type = serializers.CharField(max_length=100, required=False)
    from_time = Moment(required=False)
    to_time = Moment(required=False)


def narrow(jobs: QuerySet[AIJob], filters: dict[str, Any]) -> QuerySet[AIJob]:
    """Apply the filters; a job's time is when it was submitted."""
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
