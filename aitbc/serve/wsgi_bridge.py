"""From ASGI to Django's WSGI application: one hop into a thread for each request, none while waiting for a client.

A response in memory is read whole and closed in the thread that ran its request, which returns the database connections
of that thread. A streaming one is read part by part, in whichever thread is free: connections are returned
after each part, so that none is held while a part travels, and none is left behind in a thread when it is closed.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import unquote_to_bytes
from uuid import uuid4

from django.db import close_old_connections

from aitbc.core import long_polling
from aitbc.core.long_polling import TOO_LARGE, TRUNCATED
from aitbc.core.problems import MEDIA_TYPE, TYPE_PREFIX

logger = logging.getLogger(__name__)

THREADS = 4
IN_MEMORY = 1 << 20
PART = 256 * 1024
Headers = list[tuple[bytes, bytes]]
Scope = dict[str, Any]
Receive = Callable[[], Any]


class Refused(Exception):
    """The body will not be read; the application answers why, and the connection is closed.

    `why` is the value of long_polling.REFUSED in the environ: what ApiMiddleware makes a problem of.
    """

    def __init__(self, why: str, limit: int = 0) -> None:
        super().__init__(why)
        self.why, self.limit = why, limit


@dataclass(slots=True)
class BridgeResponse:
    """Django's response: all of it, or its first part and `rest`, the iterator that still holds the others.

    One with a `rest` is to be closed through WsgiBridge.close().
    """

    status: int
    headers: Headers
    body: bytes
    rest: Iterator[bytes] | None = None
    close: Callable[[], object] = lambda: None
    hold: dict[str, Any] | None = None
    page: dict[str, Any] | None = None
    undo: str | None = None


@dataclass(slots=True)
class BufferedRequest:
    """A request read whole, to be run as often as its response is "nothing yet"."""

    environ: dict[str, Any]
    body: IO[bytes] = field(default_factory=io.BytesIO)

    def fresh(self, **extra: Any) -> dict[str, Any]:
        """A WSGI environ for one more run, its body rewound."""
        self.body.seek(0)
        return {**self.environ, "wsgi.input": self.body, "wsgi.errors": sys.stderr, **extra}

    def undo(self, path: str) -> dict[str, Any]:
        """The environ of an internal POST to `path` on behalf of the same caller."""
        path, _, query = path.partition("?")
        changed = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_LENGTH": "0"}
        empty = {"wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr, long_polling.INTERNAL: True}
        return {**self.environ, **changed, **empty}


class WsgiBridge:
    """Runs a WSGI application in a few threads; only running requests occupy one."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="django")

    async def run(self, environ: dict[str, Any]) -> BridgeResponse:
        return await asyncio.get_running_loop().run_in_executor(self.threads, self._run, environ)

    async def more(self, response: BridgeResponse) -> bytes:
        """The next part of a streaming response; empty at its end. No thread waits while a part travels."""
        if response.rest is None:
            return b""
        return await asyncio.get_running_loop().run_in_executor(self.threads, _next_part, response.rest)

    async def close(self, response: BridgeResponse) -> None:
        """Close a streaming response, wherever it was left; does nothing the second time, nor for any other."""
        if response.rest is None:
            return
        response.rest = None
        try:
            await asyncio.get_running_loop().run_in_executor(self.threads, _close, response.close)
        except RuntimeError:  # the process is leaving, and its threads have gone
            _close(response.close)

    def _run(self, environ: dict[str, Any]) -> BridgeResponse:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            started[:] = [int(status[:3]), headers]

        iterable = None
        try:
            iterable = self.application(environ, start_response)
            chunks = iter(iterable)
            # Before the headers are looked at: an application may start with its first chunk.
            body = _take(chunks) if getattr(iterable, "streaming", True) else b"".join(chunks)
            response = _response(started[0], started[1], body)
        except Exception:
            logger.exception("the application failed outside its own error handling")
            _close(_closer(iterable))
            return problem(environ, 500, "internal_error", "Internal error", "The server failed to answer.")
        if getattr(iterable, "streaming", True) and len(body) >= PART:
            response.rest, response.close = chunks, _closer(iterable)
            close_old_connections()
        else:
            _close(_closer(iterable))
        return response


def _take(chunks: Iterator[bytes]) -> bytes:
    """At least PART bytes, unless the end came first."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= PART:
            break
    return b"".join(parts)


def _next_part(chunks: Iterator[bytes]) -> bytes:
    try:
        return _take(chunks)
    finally:
        close_old_connections()


def _closer(iterable: Any) -> Callable[[], object]:
    return getattr(iterable, "close", lambda: None)


def _close(closer: Callable[[], object]) -> None:
    """What closing runs into is of no use to the client any more; Django returns connections on the way."""
    try:
        closer()
    except Exception:
        logger.exception("a response failed to close")


def _response(status: int, headers: list[tuple[str, str]], body: bytes) -> BridgeResponse:
    inside = {name.lower(): value for name, value in headers if name.lower().startswith(long_polling.INTERNAL_PREFIX)}
    hold, page = inside.get(long_polling.HOLD.lower()), inside.get(long_polling.PAGE.lower())
    return BridgeResponse(
        status=status,
        headers=[
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in long_polling.public(headers)
        ],
        body=body,
        hold=json.loads(hold) if hold else None,
        page=json.loads(page) if page else None,
        undo=inside.get(long_polling.UNDO.lower()),
    )


def problem(environ: dict[str, Any], status: int, code: str, title: str, detail: str) -> BridgeResponse:
    """An RFC 9457 response for what never reaches Django."""
    request_id = environ.get("HTTP_X_REQUEST_ID") or str(uuid4())
    kind = TYPE_PREFIX + code.replace("_", "-")
    members = {"type": kind, "title": title, "status": status, "detail": detail, "code": code, "error": code}
    body = json.dumps({**members, "request_id": request_id}).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode("latin-1")),
        (b"x-content-type-options", b"nosniff"),
    ]
    return BridgeResponse(status=status, headers=headers, body=body)


def environ_of(scope: Scope) -> dict[str, Any]:
    """The WSGI environ of an ASGI scope. The dispatcher's own headers, and names that only look alike, stay outside."""
    path = unquote_to_bytes(scope["raw_path"]) if scope.get("raw_path") else scope["path"].encode()
    server = scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if "_" in name or name.startswith(long_polling.INTERNAL_PREFIX):
            continue  # X_Aitbc_Hold would arrive under the same environ key as X-Aitbc-Hold
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key
        joint = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = environ[key] + joint + value if key in environ else value
    return environ


async def read(request: BufferedRequest, receive: Receive, limit: int) -> None:
    """Read the body of a request, onto disk beyond 1 MiB.

    Chunked uploads get their CONTENT_LENGTH here: without one Django silently reads nothing. Raises Refused for a body
    longer than `limit`, before it is read where its length is declared, and for one that ends before its own length.
    """
    declared = request.environ.get("CONTENT_LENGTH", "")
    if declared.isdigit() and int(declared) > limit:
        raise Refused(TOO_LARGE, limit)
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":  # or half of it: who has only stopped sending still reads the answer
            raise Refused(TRUNCATED)
        size += len(message.get("body", b""))
        if size > limit:
            raise Refused(TOO_LARGE, limit)
        _store(request, message.get("body", b""))
        more = message.get("more_body", False)
    request.environ["CONTENT_LENGTH"] = str(size) if size or declared else ""
    request.environ.pop("HTTP_TRANSFER_ENCODING", None)


def _store(request: BufferedRequest, chunk: bytes) -> None:
    if chunk and isinstance(request.body, io.BytesIO):
        request.body = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  (the request cycle closes it)
    request.body.write(chunk)
