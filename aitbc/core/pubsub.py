"""Wake-ups between processes of one machine: unix datagrams, sent after a commit, best effort.

A lost wake-up costs seconds, never work: every listener also looks for itself once a second.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path

from django.conf import settings

from aitbc.core.ids import uuid7

RELAY = "relay"
LARGEST = 4096
_known: tuple[float, list[str]] = (0.0, [])
_sender: socket.socket | None = None


def folder() -> Path:
    path = Path(settings.RUN_DIR) / "wake"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _listeners() -> list[str]:
    """The sockets of all listening processes; the folder is read at most twice a second."""
    global _known
    now = time.monotonic()
    if now - _known[0] > 0.5:
        with contextlib.suppress(OSError):  # no descriptor left for reading a folder: those known before
            _known = (now, [str(path) for path in folder().glob("*.sock")])
    return _known[1]


def _sending_socket() -> socket.socket | None:
    """This process's socket for sending; None while it has no file descriptor left for one."""
    global _sender
    if _sender is None:
        try:
            _sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        except OSError:
            return None
        _sender.setblocking(False)
    return _sender


def send(*topics: str) -> None:
    """Wake every process on this machine that listens; topics of the relay reach relays only, others never do."""
    sender = _sending_socket()
    if sender is None:
        return
    message = "\n".join(topics).encode()[:LARGEST]
    for_relays = all(topic.startswith(RELAY) for topic in topics)
    for path in list(_listeners()):
        if Path(path).name.startswith(RELAY) is not for_relays:
            continue
        try:
            sender.sendto(message, path)
        except ConnectionRefusedError:
            with contextlib.suppress(OSError):
                os.unlink(path)  # nobody listens there any more
        except OSError:
            continue  # its buffer is full of wake-ups, it has just left, or this process lacks something


class Listener:
    """A process's own socket for wake-ups: register fileno() with an event loop, or wait()."""

    def __init__(self, role: str) -> None:
        self.path = folder() / f"{role}-{os.getpid()}-{str(uuid7())[-6:]}.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)

    def fileno(self) -> int:
        return self.socket.fileno()

    def topics(self) -> list[str]:
        """All topics woken since the last call, in order, with repetitions (k jobs wake k waiters)."""
        found: list[str] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found += self.socket.recv(LARGEST).decode().split("\n")
        return found

    def wait(self, seconds: float) -> list[str]:
        """Sleep until a wake-up arrives or the time is over."""
        self.socket.settimeout(seconds)
        try:
            first = self.socket.recv(LARGEST).decode().split("\n")
        except TimeoutError:
            first = []
        self.socket.setblocking(False)
        return first + self.topics()

    def close(self) -> None:
        self.socket.close()
        self.path.unlink(missing_ok=True)
