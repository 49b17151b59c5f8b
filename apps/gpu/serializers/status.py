"""The state of the whole domain, counted."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import TimestampField


class QueueSerializer(serializers.Serializer[Any]):
    waiting = serializers.IntegerField()
    delayed = serializers.IntegerField(help_text="Backing off before they are tried again.")
    running = serializers.IntegerField()
    at_least = serializers.BooleanField(help_text="There are more than are counted here.")


class GpuStatusSerializer(serializers.Serializer[Any]):
    """The state of the gpu domain, counted now."""

    status = serializers.ChoiceField(["operational", "degraded"])
    service = serializers.CharField()
    message = serializers.CharField()
    miners = serializers.DictField(child=serializers.IntegerField(), help_text="By state.")
    gpus = serializers.DictField(child=serializers.IntegerField(), help_text="By state.")
    models = serializers.DictField(child=serializers.IntegerField(), help_text="Cards that are there, by model.")
    queue = QueueSerializer()
    bookings = serializers.IntegerField(help_text="Whose cards are set aside or lent now.")
    swept_seconds_ago = serializers.FloatField(allow_null=True, help_text="Since leases were last looked after.")
    at = TimestampField()
