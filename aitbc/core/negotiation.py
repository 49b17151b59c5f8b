"""One representation: what a client says it accepts changes nothing, and refuses nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation


class OnlyJSON(BaseContentNegotiation):
    """Parsers by content type as usual (else 415); the answer is JSON, or whatever the view itself returns."""

    def select_parser(self, request: Any, parsers: Iterable[Any]) -> Any:
        kind = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)

    def select_renderer(
        self, request: Any, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> tuple[Any, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type
