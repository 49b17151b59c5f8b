"""A load generator cheap enough to share two cores with what it measures: raw HTTP/1.1 over kept connections."""

from __future__ import annotations

import json
import multiprocessing
import socket
import time
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


@dataclass
class Measured:
    """Requests of one run: how many, how fast, how long they took (seconds), and what they answered."""

    count: int
    seconds: float
    latencies: list[float]
    statuses: dict[int, int]

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    def percentile(self, p: float) -> float:
        """Latency in milliseconds below which this share of requests lies."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(p * len(ordered)))]


Step = Callable[[Connection, int, int], Iterable[tuple[int, float]]]


def _work(url: str, key: str, step: Step, worker: int, calls: int, ready: Any, out: Any) -> None:
    connection = Connection(url, key)
    ready.wait()
    found = []
    for n in range(calls):
        found.extend(step(connection, worker, n))
    out.put(found)


def timed(connection: Connection, method: str, path: str, body: Any = None) -> tuple[int, float, Any]:
    started = time.perf_counter()
    status, answer = connection.call(method, path, body)
    return status, time.perf_counter() - started, answer


def load(url: str, key: str, step: Step, *, connections: int = 8, calls: int = 200) -> Measured:
    """Run `step` `calls` times on each of so many connections, one process a connection."""
    context = multiprocessing.get_context("fork")
    ready, out = context.Barrier(connections + 1), context.Queue()
    workers = [context.Process(target=_work, args=(url, key, step, i, calls, ready, out)) for i in range(connections)]
    for worker in workers:
        worker.start()
    ready.wait()
    started = time.perf_counter()
    results = [item for _ in workers for item in out.get()]
    seconds = time.perf_counter() - started
    for worker in workers:
        worker.join()
    statuses: dict[int, int] = {}
    for status, _ in results:
        statuses[status] = statuses.get(status, 0) + 1
    return Measured(len(results), seconds, [latency for _, latency in results], statuses)
