"""A load generator cheap enough to share two cores with what it measures: raw HTTP/1.1 over persistent connections."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


class Connection:
    """One kept-alive connection; `call` sends a request and reads its whole answer."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self.address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.head = f"Host: {parts.netloc}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        self.socket = self.connect()
        self.buffer = b""

    def connect(self) -> socket.socket:
        made = socket.create_connection(self.address, timeout=90)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        payload = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\n{self.head}Content-Length: {len(payload)}\r\n\r\n"
        self.socket.sendall(head.encode() + payload)
        status, content = self.read()
        return status, json.loads(content) if content.strip() else None

    def read(self) -> tuple[int, bytes]:
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        status = int(lines[0].split(" ")[1])
        if headers.get("transfer-encoding") == "chunked":
            return status, self.chunks()
        return status, self.exactly(int(headers.get("content-length", 0)))

    def chunks(self) -> bytes:
        parts = []
        while True:
            while b"\r\n" not in self.buffer:
                self.more()
            size, _, self.buffer = self.buffer.partition(b"\r\n")
            part = self.exactly(int(size, 16) + 2)[:-2]
            if not part:
                return b"".join(parts)
            parts.append(part)

    def exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self.more()
        content, self.buffer = self.buffer[:size], self.buffer[size:]
        return content

    def more(self) -> None:
        got = self.socket.recv(65536)
        if not got:
            raise ConnectionError("the server closed the connection")
        self.buffer += got


@dataclass(frozen=True)
class Sample:
    """One request: the status, the seconds until the response, and what else the benchmark needs of it."""

    status: int
    seconds: float
    extra: Any = None


@dataclass(frozen=True)
class Measured:
    """The requests of one run, and how many seconds they took together."""

    seconds: float
    samples: list[Sample]

    @property
    def count(self) -> int:
        return len(self.samples)

    @property
    def statuses(self) -> dict[int, int]:
        return dict(Counter(sample.status for sample in self.samples))

    @property
    def extra(self) -> list[Any]:
        return [sample.extra for sample in self.samples if sample.extra is not None]

    def percentile(self, p: float) -> float:
        """Latency in milliseconds below which this share of requests lies."""
        return 1000 * quantile([sample.seconds for sample in self.samples], p)


Step = Callable[[Connection, int, int], Sample]


def quantile(values: Iterable[float], p: float) -> float:
    """The value below which the share p of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(p * len(ordered)))]


def timed(connection: Connection, method: str, path: str, body: Any = None) -> tuple[int, float, Any]:
    started = time.perf_counter()
    status, answer = connection.call(method, path, body)
    return status, time.perf_counter() - started, answer


def send(connection: Connection, method: str, path: str, body: Any = None) -> Sample:
    """Send one request and measure it; the body of the response is dropped."""
    return Sample(*timed(connection, method, path, body)[:2])


def _work(url: str, key: str, step: Step, worker: int, calls: int, ready: Any, out: Any) -> None:
    try:
        connection = Connection(url, key)
        ready.wait()
        out.put([step(connection, worker, n) for n in range(calls)])
    except Exception as error:  # noqa: BLE001  # reported to the parent, which waits for one item per worker
        ready.abort()
        out.put(f"{type(error).__name__}: {error}")


def load(url: str, key: str, step: Step, *, connections: int = 8, calls: int = 200) -> Measured:
    """Run `step` `calls` times on each of so many connections, one process a connection."""
    context = multiprocessing.get_context("fork")
    ready, out = context.Barrier(connections + 1), context.Queue()
    workers = [context.Process(target=_work, args=(url, key, step, i, calls, ready, out)) for i in range(connections)]
    for worker in workers:
        worker.start()
    with contextlib.suppress(threading.BrokenBarrierError):
        ready.wait()
    started = time.perf_counter()
    results = [out.get() for _ in workers]
    seconds = time.perf_counter() - started
    for worker in workers:
        worker.join()
    if failures := [result for result in results if isinstance(result, str)]:
        raise RuntimeError(f"{len(failures)} of {connections} connections failed: {failures[0]}")
    return Measured(seconds, [sample for result in results for sample in result])
