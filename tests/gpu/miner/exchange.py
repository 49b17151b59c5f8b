"""A small exchange for the tests: an HTTP server with the miner's protocol that records every request."""

import hashlib
import json
import re
import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE = 60.0  # seconds a test waits for something before it fails


class Exchange:
    """Hands out jobs, takes deliveries; a test steers it by its attributes and waits on it by `until`."""

    def __init__(self, port: int = 0):
        self.changed = threading.Condition()
        self.queue: deque[dict] = deque()
        self.registered: list[dict] = []
        self.names: list[str | None] = []  # the X-Miner-ID of each registration
        self.heartbeats: list[dict] = []
        self.polls: list[dict] = []
        self.deliveries: list[tuple[str, str, dict]] = []  # (job id, result|fail, body), as acknowledged
        self.refused: list[tuple[str, str, dict]] = []
        self.cancel: list[str] = []
        self.checkpoint: list[str] = []
        self.leases: list[dict] | None = None
        self.attention = 0
        self.bookings: list[dict] = []
        self.commands: list[dict] = []
        self.reports: list[tuple[str, dict]] = []  # (path, body) of reports on commands
        self.heartbeat_seconds = 0.1
        self.inputs: dict[str, bytes] = {}
        self.command_response: Callable[[str, dict], dict] = lambda path, body: {}
        self.keys: dict = {"keys": []}
        self.known = True
        self.delivery_status: Callable[[str, str], tuple[int, dict]] = lambda job_id, verb: (200, {})
        self.garbled: dict[str, bytes] = {}  # raw answers by path below the miners' routes
        self.closing = False
        self.server = _Server(("127.0.0.1", port), _handler(self))
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def offer(self, job_id: str, task_type: str = "benchmark", payload: dict | None = None, **more) -> None:
        """Queue a job."""
        job = {"job_id": job_id, "id": job_id, "attempt": 1, "task_type": task_type, "payload": payload} | more
        with self.changed:
            self.queue.append(job)
            self.changed.notify_all()

    def upload(self, job_id: str, data: bytes) -> dict:
        """Store an input for a job; return the job's `input`."""
        self.inputs[job_id] = data
        return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "url": f"/gpu/v1/miners/{job_id}/input"}

    def until(self, happened: Callable[[], object], patience: float = PATIENCE):
        """Wait until something has happened; return it."""
        with self.changed:
            assert self.changed.wait_for(happened, patience), "the miner did not do it in time"
            return happened()

    def delivery_of(self, job_id: str) -> tuple[str, dict]:
        """Wait for the acknowledged delivery of a job; return verb and body."""
        return self.until(lambda: next(((verb, body) for job, verb, body in self.deliveries if job == job_id), None))

    def progress_of(self, job_id: str) -> dict | None:
        """Return the newest report on a job in a heartbeat."""
        entries = [job for beat in self.heartbeats for job in beat["jobs"] if job["job_id"] == job_id]
        return entries[-1] if entries else None

    def close(self) -> None:
        """Go away, with all connections: waiting polls end empty, later requests are refused."""
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()

    # The handler's calls; each returns (status, body)

    def on_register(self, body: dict) -> tuple[int, dict]:
        self.known = True
        self.registered.append(body)
        return 200, {"status": "ok", "miner_id": "miner-1", "session_token": "t"}

    def on_heartbeat(self, body: dict) -> tuple[int, dict]:
        if not self.known:
            return 404, {"error": "miner not registered", "detail": "miner not registered"}
        self.heartbeats.append(body)
        response = {
            "status": "ok",
            "heartbeat_seconds": self.heartbeat_seconds,
            "poll_seconds": 0.05,
            "cancel": self.cancel,
            "checkpoint": self.checkpoint,
            "attention": self.attention,
            "bookings": self.bookings,
            "orders": self.commands,
        }
        return 200, response | ({} if self.leases is None else {"leases": self.leases})

    def on_poll(self, body: dict, gone: Callable[[], bool]) -> tuple[int, dict | None]:
        self.polls.append(body)
        self.changed.notify_all()  # it may wait for a minute: a test may wait for the poll itself
        seen = body.get("attention", self.attention)
        called = lambda: self.attention > seen  # noqa: E731
        self.changed.wait_for(lambda: self.queue or self.closing or called(), body["max_wait_seconds"])
        if called() and not self.queue and not self.closing:
            return 200, {"job_id": None, "jobs": [], "beat_now": True}
        if not self.queue or self.closing or gone():
            return 204, None
        return 200, self.queue.popleft()

    def on_report(self, path: str, body: dict) -> tuple[int, dict]:
        self.reports.append((path, body))
        response = self.command_response(path, body)
        if path.startswith("/orders/") or path.endswith("/begin"):
            self.commands = []
        return 200, {"status": "ok"} | response

    def call(self) -> None:
        """Have the miner beat at once."""
        with self.changed:
            self.attention += 1
            self.changed.notify_all()

    def on_delivery(self, job_id: str, verb: str, body: dict) -> tuple[int, dict]:
        status, response = self.delivery_status(job_id, verb)
        received = self.deliveries if status < 300 else self.refused
        received.append((job_id, verb, body))
        return status, response or {"status": "ok"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A miner that was killed leaves broken connections behind: no news here."""


def _handler(exchange: Exchange) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One connection of the miner's."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            path = self.path.removeprefix("/gpu/v1/miners")
            with exchange.changed:
                status, response = self._route(path, body)
                if path in exchange.garbled:
                    self._send(200, exchange.garbled[path])
                else:
                    self._respond(status, response)
                exchange.changed.notify_all()

        def do_GET(self) -> None:
            if self.path == "/.well-known/aitbc-keys.json":
                return self._send(200, json.dumps(exchange.keys).encode())
            job_id = self.path.split("/")[-2]
            self._send(200, exchange.inputs[job_id])

        def _route(self, path: str, body: dict) -> tuple[int, dict | None]:
            if self.headers["X-Api-Key"] != "the-key":
                return 401, {"error": "who are you?"}
            if match := re.fullmatch(r"/([^/]+)/(result|fail)", path):
                return exchange.on_delivery(match[1], match[2], body)
            if path == "/register":
                exchange.names.append(self.headers["X-Miner-ID"])
            if path.startswith(("/orders/", "/benchmarks/")):
                return exchange.on_report(path, body)
            if path == "/poll":
                return exchange.on_poll(body, self._gone)
            return {"/register": exchange.on_register, "/heartbeat": exchange.on_heartbeat}[path](body)

        def _gone(self) -> bool:
            """Return whether the miner has hung up meanwhile: it must not get a job then."""
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""

        def _respond(self, status: int, body: dict | None) -> None:
            self._send(status, b"" if body is None else json.dumps(body).encode())

        def _send(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_) -> None:
            """Log nothing."""

    return Handler
