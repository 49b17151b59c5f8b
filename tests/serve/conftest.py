"""Real web server processes for the tests of the dispatcher."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from aitbc.core.management.commands.serve import flags

T = TypeVar("T")
ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], T], seconds: float = 10) -> T:
    """The first true value of `condition`, evaluated again until the deadline."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)
    return value


@dataclass
class Site:
    """The test site under granian."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def until_lines(self, name: str, count: int) -> list[str]:
        return until(lambda: len(self.lines(name)) >= count and self.lines(name))

    def push(self, topic: str, *, silent: bool = False) -> None:
        httpx.post(f"{self.url}/push", params={"topic": topic, **({"silent": 1} if silent else {})}).raise_for_status()

    def emit(self, line: str) -> None:
        httpx.post(f"{self.url}/emit", content=line).raise_for_status()

    def raw(self, request: str) -> socket.socket:
        """An open connection on which this request was sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(request.replace("\n", "\r\n").encode())
        return connection

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(folder: Path, workers: int = 1) -> Site:
    """A running site, all its workers listening."""
    site = launch(folder, workers)
    until(lambda: len(list((folder / "run" / "wake").glob("*.sock"))) == workers and listening(site.port), 30)
    return site


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def launch(folder: Path, workers: int) -> Site:
    for name in ("run", "waiting", "taken"):
        (folder / name).mkdir(parents=True)
    (folder / "events").touch()
    port = free_port()
    command = [*flags("127.0.0.1", port, workers)[:-1], "tests.serve.site:app"]
    environ = {**os.environ, "AITBC_TEST_SITE": str(folder)}
    environ.pop("DJANGO_SETTINGS_MODULE", None)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "granian", *command], cwd=ROOT, env=environ, stdout=log, stderr=log
        )
    return Site(folder, port, process)


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = start(tmp_path_factory.mktemp("s"))
    yield site
    if site.process.poll() is None:
        site.stop()


@pytest.fixture
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = start(tmp_path_factory.mktemp("s"), workers=2)
    yield site
    site.stop()
