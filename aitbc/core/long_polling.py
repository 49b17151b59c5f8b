"""How a view says "nothing yet": hold() for a long poll, stream_page() for an event stream.

The view decides, the dispatcher in aitbc.serve waits: it parks the connection without a thread or a database
connection, and when a topic wakes it runs the very same request again. Without the dispatcher (plain WSGI, the test
client) a hold is the empty answer at once and a stream is one page, after which an event-stream client reconnects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

HOLD = "X-Aitbc-Hold"
PAGE = "X-Aitbc-Page"
UNDO = "X-Aitbc-Undo"
INTERNAL_PREFIX = "x-aitbc-"

HOLD_LEFT = "aitbc.hold_left"
REPLAY = "aitbc.replay"
INTERNAL = "aitbc.internal"

# The dispatcher did not read the body, and says here why; ApiMiddleware answers. With the limit in bytes.
REFUSED, BODY_LIMIT = "aitbc.refused", "aitbc.body_limit"
TOO_LARGE, TRUNCATED, TOO_SLOW = "too large", "truncated", "too slow"

LONGEST_HOLD = 60.0


def hold(*, topics: Iterable[str], seconds: float, empty: HttpResponseBase | None = None) -> HttpResponseBase:
    """Respond with `empty` (204 by default) once `seconds` are over, and run the request again whenever a topic wakes.

    A `work:` topic wakes one waiter per message, any other topic wakes all of them. At most a minute is waited.
    """
    response = HttpResponse(status=204) if empty is None else empty
    if seconds > 0:
        response[HOLD] = json.dumps({"topics": list(topics), "seconds": min(float(seconds), LONGEST_HOLD)})
    return response


def stream_page(chunk: bytes, topics: Iterable[str], cursor: str, *, done: bool = False) -> HttpResponse:
    """Send these events now; unless `done`, run the request again with Last-Event-ID = `cursor` when a topic wakes.

    A view must therefore prefer the Last-Event-ID header over any cursor in the query. The chunk may be empty.
    """
    page = HttpResponse(chunk, content_type="text/event-stream; charset=utf-8")
    page["Cache-Control"] = "no-cache"
    page["X-Accel-Buffering"] = "no"
    page[PAGE] = json.dumps({"topics": list(topics), "cursor": cursor, "done": done})
    return page


def undo_with(response: HttpResponseBase, path: str) -> HttpResponseBase:
    """Have `path` POSTed internally, with the caller's own headers, if the caller leaves before this is sent."""
    response[UNDO] = path
    return response


def is_internal(request: HttpRequest) -> bool:
    """Whether the dispatcher itself made this request (an undo); nobody outside can."""
    return bool(request.META.get(INTERNAL))


def is_replay(request: HttpRequest) -> bool:
    """Whether this request was already run and parked: it must not be throttled or counted a second time."""
    return bool(request.META.get(REPLAY))


def public(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers without those that only the dispatcher may see."""
    return [(name, value) for name, value in headers if not name.lower().startswith(INTERNAL_PREFIX)]
