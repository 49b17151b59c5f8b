"""The dispatcher: runs a request through the bridge, and parks it when the view says "nothing yet".

How a view says so: aitbc/core/long_polling.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import random
import signal
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from aitbc.core import long_polling
from aitbc.core.parsers import DEFAULT_LIMIT, LARGEST
from aitbc.serve.wait_queue import Waiter, WaitQueue
from aitbc.serve.wsgi_bridge import (
    PART,
    BridgeResponse,
    BufferedRequest,
    Receive,
    Refused,
    Scope,
    WsgiBridge,
    environ_of,
    read,
)

logger = logging.getLogger(__name__)

BODY_SECONDS = 120.0
RECHECK = 5.0
HEARTBEAT = 15.0
PACE = 0.2
STREAM_THREADS = 2
Send = Callable[[dict[str, Any]], Any]


class Listener(Protocol):
    """Where wake-ups arrive (aitbc.core.pubsub.Listener)."""

    def fileno(self) -> int: ...
    def topics(self) -> list[str]: ...
    def close(self) -> None: ...


class Dispatcher:
    """An ASGI application around a WSGI one: one bridge, one wait queue, one listener for wake-ups per process."""

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        *,
        listen: Callable[[], Listener] | None = None,
        limit_of: Callable[[str, str], int] = lambda method, path: LARGEST,
    ) -> None:
        self.bridge = WsgiBridge(application)
        self.wait_queue = WaitQueue()
        self.listen = listen
        self.limit_of = limit_of  # bytes of body that a method and path take
        # Event streams may use half of the threads: a job with many events must not keep ordinary requests waiting.
        self.stream_slots = asyncio.Semaphore(STREAM_THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await RequestCycle(self, scope, receive, send).serve()
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        listener = self._start_listening()
        sweeping = asyncio.create_task(self._sweep())
        with contextlib.suppress(NotImplementedError, RuntimeError):  # not the main thread: somebody else's signals
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._drain)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        sweeping.cancel()
        if listener is not None:
            asyncio.get_running_loop().remove_reader(listener.fileno())
            listener.close()
        self.bridge.threads.shutdown(wait=False)
        await send({"type": "lifespan.shutdown.complete"})

    def _start_listening(self) -> Listener | None:
        if self.listen is None:
            return None
        try:
            listener = self.listen()
        except OSError:
            logger.exception("no wake-ups in this process: parked requests are served by the sweep alone")
            return None

        def on_wake_ups() -> None:
            for topic in listener.topics():
                self.wait_queue.wake(topic)

        asyncio.get_running_loop().add_reader(listener.fileno(), on_wake_ups)
        return listener

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(random.uniform(0.8, 1.2))
            self.wait_queue.sweep()

    def _drain(self) -> None:
        """Answer all who wait, then let the server stop: on SIGTERM alone it would wait for them instead."""
        self.wait_queue.drain()
        asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT)


class RequestCycle:
    """One request and its response."""

    def __init__(self, dispatcher: Dispatcher, scope: Scope, receive: Receive, send: Send) -> None:
        self.bridge, self.wait_queue = dispatcher.bridge, dispatcher.wait_queue
        self.dispatcher = dispatcher
        self.scope, self.receive, self.send = scope, receive, send
        self.loop = asyncio.get_running_loop()
        self.request = BufferedRequest(environ_of(scope))
        self.response: BridgeResponse | None = None  # the latest, until it is closed
        self.client_gone: asyncio.Future[None]

    async def serve(self) -> None:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                await read(self.request, self.receive, self._limit())
        except Refused as refused:
            await self._refuse(refused)
            return
        except TimeoutError:
            await self._refuse(Refused(long_polling.TOO_SLOW))
            return
        self.client_gone = asyncio.ensure_future(self._until_gone())
        try:
            await self._respond()
        finally:
            await self._close()
            self.client_gone.cancel()
            self.request.body.close()

    def _limit(self) -> int:
        """Return how many bytes are read; the route is looked up only for more than every route takes."""
        declared = self.request.environ.get("CONTENT_LENGTH", "")
        if declared.isdigit() and int(declared) <= DEFAULT_LIMIT:
            return DEFAULT_LIMIT
        path = self.request.environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        return self.dispatcher.limit_of(self.scope["method"], path)

    async def _respond(self) -> None:
        seen = self.wait_queue.now()
        response = await self._run()
        may_wait = self.scope["method"] in ("GET", "POST")
        if response.page is not None and may_wait:
            await self._stream(response, seen)
        elif response.hold is not None and may_wait:
            await self._deliver(await self._poll(response, seen))
        else:
            await self._deliver(response)

    async def _run(self, **extra: Any) -> BridgeResponse:
        """Run the request; the response of its run before is over."""
        await self._close()
        self.response = await self.bridge.run(self.request.fresh(**extra))
        return self.response

    async def _close(self) -> None:
        response, self.response = self.response, None
        if response is not None:
            await self.bridge.close(response)

    async def _until_gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _refuse(self, refused: Refused) -> None:
        """Let the application say why the body is not read, in its own form and with its own headers."""
        self.request.body.close()
        self.request.body = io.BytesIO()
        why = {long_polling.REFUSED: refused.why, long_polling.BODY_LIMIT: refused.limit, "CONTENT_LENGTH": "0"}
        response = await self.bridge.run(self.request.fresh(**why))
        response.headers.append((b"connection", b"close"))
        await self._start(response)
        await self._body(await self._whole(response), last=True)

    # Long polls

    async def _poll(self, response: BridgeResponse, seen: float) -> BridgeResponse:
        """Park until the view has something to give, the time is over, the client leaves or the process does."""
        assert response.hold is not None
        until = self.loop.time() + response.hold["seconds"]
        while response.hold is not None and not self.wait_queue.draining:
            left = until - self.loop.time()
            waiter = self.wait_queue.park(response.hold["topics"], seen)
            await self._wait(waiter, left)
            if self.client_gone.done():
                self.wait_queue.pass_on(waiter)
                break
            left = until - self.loop.time()
            if (left <= 0 and not waiter.future.done()) or self.wait_queue.draining:
                break
            seen = self.wait_queue.now()
            response = await self._run(**{long_polling.REPLAY: True, long_polling.HOLD_LEFT: max(left, 0.0)})
            if self.client_gone.done():
                await self._withdraw(response)
            if self.client_gone.done() or response.status >= 400:
                self.wait_queue.pass_on(waiter)
        return response

    async def _wait(self, waiter: Waiter, seconds: float) -> None:
        """Until the waiter is woken, the client leaves, or it is time to look again without a wake-up."""
        if not waiter.seeks_work:  # those who seek work are sent by the sweep
            seconds = min(seconds, RECHECK * random.uniform(0.8, 1.2))
        try:
            await asyncio.wait((waiter.future, self.client_gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.wait_queue.leave(waiter)

    # Event streams

    async def _stream(self, page: BridgeResponse, seen: float) -> None:
        """Send page after page, each found by running the request again from the last cursor."""
        page.headers = [header for header in page.headers if header[0] != b"content-length"]
        await self._start(page)
        chunk, sent_at = await self._whole(page), self.loop.time()
        while page.page is not None and not self.client_gone.done():
            if chunk or self.loop.time() - sent_at > HEARTBEAT - RECHECK:
                await self._body(chunk or b": still here\n\n")
                sent_at = self.loop.time()
            if page.page["done"] or self.wait_queue.draining:
                break
            await self._pause(page.page["topics"], seen)
            seen = self.wait_queue.now()
            found = await self._next_page(page.page["cursor"])
            chunk = found.body if found.page is not None else b""
            if found.page is not None or found.status < 500:  # a 5xx passes: look again later, from the same cursor
                page = found
        await self._body(b"", last=True)

    async def _pause(self, topics: list[str], seen: float) -> None:
        """Wait for the next event, but leave a moment between two pages so that bursts travel together."""
        pace = self.loop.time() + PACE
        await self._wait(self.wait_queue.park(topics, seen), RECHECK)
        left = pace - self.loop.time()
        if left > 0 and not self.wait_queue.draining:
            await asyncio.wait((self.client_gone,), timeout=left)

    async def _next_page(self, cursor: str) -> BridgeResponse:
        async with self.dispatcher.stream_slots:
            found = await self._run(**{long_polling.REPLAY: True, "HTTP_LAST_EVENT_ID": cursor})
            if found.page is not None:
                await self._whole(found)
            return found

    async def _whole(self, response: BridgeResponse) -> bytes:
        """Read a response to its end; returns its body."""
        while more := await self.bridge.more(response):
            response.body += more
        await self._close()
        return response.body

    # Responses

    async def _deliver(self, response: BridgeResponse) -> None:
        if self.client_gone.done():
            await self._withdraw(response)
            return
        await self._start(response)
        if self.scope["method"] == "HEAD":
            await self._body(b"", last=True)
        elif response.rest is None and len(response.body) <= PART:
            await self._body(response.body, last=True)
        else:
            await self._deliver_parts(response)

    async def _deliver_parts(self, response: BridgeResponse) -> None:
        """Send a large body at the pace of its reader, who may leave."""
        part, place = response.body[:PART], PART
        while part and not self.client_gone.done():
            await self._body(part)
            part = response.body[place : place + PART] or await self.bridge.more(response)
            place += PART
        await self._body(b"", last=True)

    async def _withdraw(self, response: BridgeResponse) -> None:
        """Nobody will read this response: take back what it gave away."""
        undo, response.undo = response.undo, None
        await self._close()
        if undo is not None:
            undone = await self.bridge.run(self.request.undo(undo))
            await self.bridge.close(undone)
            if undone.status >= 400:
                logger.error("undo %s failed with %s; the lease alone will heal it", undo, undone.status)

    async def _start(self, response: BridgeResponse) -> None:
        await self.send({"type": "http.response.start", "status": response.status, "headers": response.headers})

    async def _body(self, chunk: bytes, *, last: bool = False) -> None:
        await self.send({"type": "http.response.body", "body": chunk, "more_body": not last})
