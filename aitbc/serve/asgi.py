"""The dispatcher: runs a request through the bridge and parks it when the view says "nothing yet" (core/streams.py)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import signal
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from aitbc.core import long_polling
from aitbc.serve.wait_queue import Hub, Waiter
from aitbc.serve.wsgi_bridge import Answer, BodyTooLarge, Bridge, Call, ClientGone, Receive, Scope, problem, read

logger = logging.getLogger(__name__)

LARGEST_BODY = 32 << 20
BODY_SECONDS = 120.0
RECHECK = 5.0
HEARTBEAT = 15.0
PACE = 0.2
STREAM_THREADS = 2
Send = Callable[[dict[str, Any]], Any]


class Listener(Protocol):
    """Where wake-ups arrive (aitbc.core.wake.Listener)."""

    def fileno(self) -> int: ...
    def topics(self) -> list[str]: ...
    def close(self) -> None: ...


class Dispatcher:
    """An ASGI application around a WSGI one: one bridge, one hub, one ear for wake-ups per process."""

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        *,
        listen: Callable[[], Listener] | None = None,
        largest_body: int = LARGEST_BODY,
    ) -> None:
        self.bridge = Bridge(application)
        self.hub = Hub()
        self.listen = listen
        self.largest_body = largest_body
        # Event streams may use half of the threads, so that a chatty job never keeps ordinary doors waiting.
        self.stream_slots = asyncio.Semaphore(STREAM_THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await Exchange(self, scope, receive, send).serve()
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003})

    async def _live(self, receive: Receive, send: Send) -> None:
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

        def hear() -> None:
            for topic in listener.topics():
                self.hub.wake(topic)

        asyncio.get_running_loop().add_reader(listener.fileno(), hear)
        return listener

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(random.uniform(0.8, 1.2))
            self.hub.sweep()

    def _drain(self) -> None:
        """Answer all who wait, then let the server stop: on SIGTERM alone it would wait for them instead."""
        self.hub.drain()
        asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT)


class Exchange:
    """One request and its answer."""

    def __init__(self, dispatcher: Dispatcher, scope: Scope, receive: Receive, send: Send) -> None:
        self.bridge, self.hub = dispatcher.bridge, dispatcher.hub
        self.dispatcher = dispatcher
        self.scope, self.receive, self.send = scope, receive, send
        self.loop = asyncio.get_running_loop()
        self.call: Call
        self.gone: asyncio.Future[None]

    async def serve(self) -> None:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                self.call = await read(self.scope, self.receive, self.dispatcher.largest_body)
        except ClientGone:
            return
        except (BodyTooLarge, TimeoutError) as refusal:
            await self._refuse(refusal)
            return
        self.gone = asyncio.ensure_future(self._until_gone())
        try:
            await self._converse()
        finally:
            self.gone.cancel()
            self.call.body.close()

    async def _converse(self) -> None:
        seen = self.hub.now()
        answer = await self._run()
        may_wait = self.scope["method"] in ("GET", "POST")
        if answer.page is not None and may_wait:
            await self._stream(answer, seen)
        elif answer.hold is not None and may_wait:
            await self._deliver(await self._poll(answer, seen))
        else:
            await self._deliver(answer)

    async def _run(self, **extra: Any) -> Answer:
        return await self.bridge.run(self.call.fresh(**extra))

    async def _until_gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _refuse(self, refusal: Exception) -> None:
        if isinstance(refusal, BodyTooLarge):
            detail = f"A request body may have at most {self.dispatcher.largest_body} bytes."
            answer = problem({}, 413, "too_large", "Body too large", detail)
        else:
            answer = problem({}, 408, "request_timeout", "Request timeout", "The body did not arrive in time.")
        answer.headers.append((b"connection", b"close"))
        await self._start(answer)
        await self._body(answer.body, last=True)

    # Long polls

    async def _poll(self, answer: Answer, seen: float) -> Answer:
        """Park until the view has an answer, the time is over, the client leaves or the process does."""
        assert answer.hold is not None
        until = self.loop.time() + answer.hold["seconds"]
        while answer.hold is not None and not self.hub.draining:
            left = until - self.loop.time()
            waiter = self.hub.park(answer.hold["topics"], seen)
            await self._wait(waiter, left)
            if self.gone.done():
                self.hub.hand_on(waiter)
                break
            left = until - self.loop.time()
            if (left <= 0 and not waiter.future.done()) or self.hub.draining:
                break
            seen = self.hub.now()
            answer = await self._run(**{long_polling.REPLAY: True, long_polling.HOLD_LEFT: max(left, 0.0)})
            if self.gone.done():
                await self._withdraw(answer)
            if self.gone.done() or answer.status >= 400:
                self.hub.hand_on(waiter)
        return answer

    async def _wait(self, waiter: Waiter, seconds: float) -> None:
        """Until the waiter is woken, the client leaves, or it is time to look again without being told."""
        if not waiter.seeks_work:  # those who seek work are sent by the sweep
            seconds = min(seconds, RECHECK * random.uniform(0.8, 1.2))
        try:
            await asyncio.wait((waiter.future, self.gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.hub.leave(waiter)

    # Event streams

    async def _stream(self, page: Answer, seen: float) -> None:
        """Send page after page, each found by running the request again from the last cursor."""
        page.headers = [header for header in page.headers if header[0] != b"content-length"]
        await self._start(page)
        chunk, sent_at = page.body, self.loop.time()
        while page.page is not None and not self.gone.done():
            if chunk or self.loop.time() - sent_at > HEARTBEAT - RECHECK:
                await self._body(chunk or b": still here\n\n")
                sent_at = self.loop.time()
            if page.page["done"] or self.hub.draining:
                break
            await self._pause(page.page["topics"], seen)
            seen = self.hub.now()
            found = await self._turn(page.page["cursor"])
            chunk = found.body if found.page is not None else b""
            if found.page is not None or found.status < 500:  # a 5xx passes: look again later, from the same cursor
                page = found
        await self._body(b"", last=True)

    async def _pause(self, topics: list[str], seen: float) -> None:
        """Wait for the next event, but leave a moment between two pages so that bursts travel together."""
        pace = self.loop.time() + PACE
        await self._wait(self.hub.park(topics, seen), RECHECK)
        left = pace - self.loop.time()
        if left > 0 and not self.hub.draining:
            await asyncio.wait((self.gone,), timeout=left)

    async def _turn(self, cursor: str) -> Answer:
        async with self.dispatcher.stream_slots:
            found = await self._run(**{long_polling.REPLAY: True, "HTTP_LAST_EVENT_ID": cursor})
            while found.page is not None and (more := await self.bridge.more(found)):
                found.body += more
            await self.bridge.close(found)
            return found

    # Answers

    async def _deliver(self, answer: Answer) -> None:
        if self.gone.done():
            await self._withdraw(answer)
            return
        await self._start(answer)
        part, head_only = answer.body, self.scope["method"] == "HEAD"
        while answer.rest is not None and part and not head_only and not self.gone.done():
            await self._body(part)
            part = await self.bridge.more(answer)
        await self._body(b"" if head_only else part, last=True)
        if answer.rest is not None:
            await self.bridge.close(answer)

    async def _withdraw(self, answer: Answer) -> None:
        """Nobody will read this answer: take back what it gave away."""
        undo, answer.undo = answer.undo, None
        if answer.rest is not None:
            await self.bridge.close(answer)
        if undo is not None:
            undone = await self.bridge.run(self.call.undo(undo))
            if undone.status >= 400:
                logger.error("undo %s failed with %s; the lease alone will heal it", undo, undone.status)

    async def _start(self, answer: Answer) -> None:
        await self.send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})

    async def _body(self, chunk: bytes, *, last: bool = False) -> None:
        await self.send({"type": "http.response.body", "body": chunk, "more_body": not last})
