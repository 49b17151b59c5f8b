"""Leases in JSON."""

from __future__ import annotations

from rest_framework import serializers

from aitbc.core.serializers import ResourceSerializer
from apps.gpu.models import Lease


class LeaseSerializer(ResourceSerializer):
    id = serializers.UUIDField(source="job_id", read_only=True)
    status = serializers.CharField(source="state", read_only=True)

    class Meta:
        model = Lease
        fields = [
            "id",
            "job_id",
            "attempt",
            "state",
            "status",
            "rate",
            "granted_at",
            "started_at",
            "lease_until",
            "ended_at",
            "code",
            "message",
            "metered_ms",
            "progress",
            "result_sha256",
            "result_size",
        ]
