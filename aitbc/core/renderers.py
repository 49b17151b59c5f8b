"""How responses are written: JSON by orjson; and what `Accept` may say where a view writes the body itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer
from rest_framework.utils.encoders import JSONEncoder

from aitbc.core.rows import write_each

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
        try:
            return b"" if data is None else orjson.dumps(data, _default, OPTIONS)
        except TypeError:
            return orjson.dumps(_writable(data), _default, OPTIONS)


class EventStreamRenderer(BaseRenderer):
    """For actions that respond with an event stream (`long_polling.stream_page`): makes `Accept` acceptable."""

    media_type = "text/event-stream"
    format = "event-stream"
    charset = "utf-8"


class TextRenderer(BaseRenderer):
    """For actions that respond with plain text which they write themselves."""

    media_type = "text/plain"
    format = "txt"
    charset = "utf-8"


class DownloadRenderer(BaseRenderer):
    """For actions that respond with a file: whatever the client accepts, the file is what there is."""

    media_type = "*/*"
    format = "file"
    charset = None


def once(data: Any) -> orjson.Fragment:
    """Return JSON that a response holds twice, encoded once."""
    return orjson.Fragment(FastJSONRenderer().render(data))


def _writable(data: Any) -> Any:
    """The response without those of its items that JSON cannot say: one of them takes no list down.

    What is no list is null instead, by itself.
    """
    if isinstance(data, Mapping):
        return {name: _writable(value) if isinstance(value, list) else _or_null(value) for name, value in data.items()}
    if isinstance(data, list):
        return write_each(lambda item: orjson.Fragment(orjson.dumps(item, _default, OPTIONS)), data)
    return data


def _or_null(value: Any) -> Any:
    return next(iter(_writable([value])), None)


def _default(value: Any) -> Any:
    return float(value) if isinstance(value, float) else _others(value)
