"""Artifacts as their owners read them."""

from __future__ import annotations

from rest_framework import serializers

from aitbc.core.serializers import ResourceSerializer
from apps.ai.models import Artifact


class ArtifactSerializer(ResourceSerializer):
    """An input or result kept as a file."""

    in_use = serializers.BooleanField(
        read_only=True, help_text="Whether it is the input of an unfinished job, or a result that is kept."
    )
    url = serializers.SerializerMethodField()

    class Meta:
        model = Artifact
        fields = ["sha256", "size", "media_type", "in_use", "created_at", "url"]
        read_only_fields = fields

    def get_url(self, artifact: Artifact) -> str:
        return f"/ai/artifacts/{artifact.sha256}"
