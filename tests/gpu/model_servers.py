"""A model server on this machine whose answers a test chooses, byte by byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

MODELS, CHAT = "/v1/models", "/v1/chat/completions"
Answer = bytes | Callable[[Any], bytes]  # of the request's body


class ModelServer(ThreadingHTTPServer):
    """Answers with what stands in `answers` for a path; of one in `endless` it sends a byte now and then for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answers: dict[str, Answer] = {}
        self.endless: dict[str, bytes] = {}
        self.closing = Event()


class Handler(BaseHTTPRequestHandler):
    server: ModelServer

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, requested: Any) -> None:
        if self.path in self.server.endless:
            return self._drip(self.server.endless[self.path])
        answer = self.server.answers.get(self.path)
        content = answer(requested) if callable(answer) else answer
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def _drip(self, beginning: bytes) -> None:
        self.close_connection = True
        try:
            self.wfile.write(beginning)
            while not self.server.closing.wait(0.1):
                self.wfile.write(b" ")
        except OSError:
            return  # the caller has hung up, as it should

    def log_message(self, *args: object) -> None:
        """Quiet."""


@contextmanager
def running() -> Iterator[ModelServer]:
    server = ModelServer()
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
