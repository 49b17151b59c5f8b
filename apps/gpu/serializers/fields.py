"""Fields that several serializers of this domain share."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from aitbc.core.serializers import FreeField


class AnyField(FreeField):
    """Whatever JSON a client sends here."""

    def get_default(self) -> Any:
        return None


class MinerIdField(serializers.CharField):
    """A miner's id as text, however it was typed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, allow_null=True, allow_blank=True, max_length=128, **options)
