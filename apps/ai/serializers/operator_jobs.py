"""Jobs as operators read them, and the input of their actions."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import LenientSerializer, ObjectField, ResourceSerializer
from apps.ai.logic.amounts import shown
from apps.ai.models import OperatorAct
from apps.ai.serializers.jobs import JobSerializer


class RequirementField(ObjectField):
    """A canonical requirement, its price in AIT."""

    def to_representation(self, value: Any) -> Any:
        return shown(value)


class AdminJobSerializer(JobSerializer):
    """A job as operators read it: never with its payload."""

    requirement = RequirementField(read_only=True, help_text="What gpu matches; max_price is AIT per hour.")

    class Meta(JobSerializer.Meta):
        fields = [
            *JobSerializer.Meta.fields, "requirement", "provider_id", "rate", "billable_ms", "due_at", "deleted_at",
        ]  # fmt: skip
        read_only_fields = fields


class OperatorActSerializer(ResourceSerializer):
    class Meta:
        model = OperatorAct
        fields = ["act", "actor", "reason", "detail", "at"]
        read_only_fields = fields


class AdminJobDetailSerializer(AdminJobSerializer):
    """The same, with the actions of operators on it."""

    acts = OperatorActSerializer(source="operator_acts", many=True, read_only=True)

    class Meta(AdminJobSerializer.Meta):
        fields = [*AdminJobSerializer.Meta.fields, "acts"]
        read_only_fields = fields


class PrioritizeSerializer(LenientSerializer):
    """Why an operator prioritizes a job, and to which priority (the highest by default)."""

    reason = serializers.CharField(max_length=300)
    priority = serializers.IntegerField(min_value=0, max_value=100, default=100)


class DeleteSerializer(LenientSerializer):
    """Why an operator deletes a job; legacy clients send no body."""

    reason = serializers.CharField(max_length=300, default="deleted by an operator")
