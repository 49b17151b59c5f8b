"""Benchmarks: requested by owners, carried out by miners."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import FreeField, ObjectField, ResourceSerializer, StrictSerializer, TimestampField
from apps.gpu.models import GPUBenchmark

HEX64 = r"^[0-9a-f]{64}$"


class BenchmarkSerializer(ResourceSerializer):
    """One challenge and its verdict; the miner receives `nonce` and `task` when it begins."""

    score = serializers.FloatField(read_only=True, allow_null=True, help_text="An RTX 3090 = 100.")

    class Meta:
        model = GPUBenchmark
        fields = [
            "id", "gpu", "suite", "state", "device", "results", "environment", "verdict", "score", "requested_by",
            "requested_at", "begun_at", "due_at", "ended_at",
        ]  # fmt: skip


class BenchmarkRequestSerializer(StrictSerializer):
    reason = serializers.CharField(required=False, max_length=200, default="asked for")


class BegunSerializer(serializers.Serializer[Any]):
    """The task, with the nonce."""

    id = serializers.UUIDField()
    task = ObjectField()
    begun_at = TimestampField()


class CommitmentSerializer(StrictSerializer):
    """What the miner bound itself to, and what it measured."""

    product = serializers.RegexField(HEX64, help_text="Root of the tree over the digests of the products' rows.")
    memory = serializers.RegexField(HEX64, help_text="Root of the tree over the digests of the memory's pages.")
    seconds = ObjectField(required=False, help_text="How long each part took, by the miner's clock; a claim.")
    figures = ObjectField(help_text="{name: {median, low, high, unit, runs}}")
    environment = ObjectField(required=False)
    device = serializers.ChoiceField(choices=["cuda", "rocm", "cpu"])


class QuestionSerializer(serializers.Serializer[Any]):
    """Which rows and pages are to be opened, and until when."""

    id = serializers.UUIDField()
    state = serializers.CharField()
    question = ObjectField()
    due_at = TimestampField()


class OpeningsSerializer(StrictSerializer):
    """Rows, and pages with their parents: each as {data, table, path}."""

    rows = serializers.ListField(child=FreeField(), max_length=256)
    pages = serializers.ListField(child=FreeField(), max_length=64)


class GivenUpSerializer(StrictSerializer):
    reason = serializers.CharField(max_length=300)
