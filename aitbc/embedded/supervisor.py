"""The supervisor behind `manage.py up`: servers, databases, programs, one machine, one terminal."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO

import httpx
from django.apps import apps
from rich.console import Console

from aitbc.embedded.postgres import Postgres
from aitbc.embedded.processes import ServerFailed, spawn, stop
from aitbc.embedded.servers import Servers, run_dir
from aitbc.embedded.services import Program, commands
from aitbc.embedded.valkey import Valkey

ROOT = Path(__file__).resolve().parents[2]
SERVER_PAUSE = 1.0
ROLES = {"web": "web", "worker": "worker", "beat": "worker", "relay": "relay", "miner": "shell"}


class AlreadyRunning(Exception):
    """Another `up` runs in this folder."""


class Supervisor:
    """Starts everything, keeps it running, stops it all.

    A signal only sets `stopping`, and every wait looks at it: an exception out of a handler may be swallowed, or lose a
    program that was just being started.
    """

    def __init__(self, *, var: Path, port: int, miner: bool, console: Console) -> None:
        self.var, self.port, self.console = var, port, console
        var.mkdir(parents=True, exist_ok=True)
        self.lock = self.take_lock()
        self.servers = Servers(var, run_dir(var))
        self.miner = miner
        self.programs: list[Program] = []
        self.stopping = False
        self.servers_due = 0.0

    def take_lock(self) -> IO[str]:
        """One supervisor a folder; the lock dies with the process."""
        lock = (self.var / "up.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"An exchange is already running in {self.var}. "
                "Stop it, or give this one a folder and a port of its own: AITBC_VAR_DIR=var2 manage.py up --port 8090"
            ) from None
        return lock

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **self.servers.environment(),
            "AITBC_VAR_DIR": str(self.var),
            "AITBC_URL": self.url,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
            "PYTHONUNBUFFERED": "1",
            # Celery's warning about root is right about pickles, and we take none.
            "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Everything up inside, nothing left outside, whichever way it ends."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.on_signal)
        try:
            self.start()
            yield
        except ServerFailed as error:
            self.console.print(f"[red]{error}[/]")
            raise SystemExit(1) from None
        finally:
            self.stop()

    def on_signal(self, signum: int, frame: FrameType | None) -> None:
        self.stopping = True

    def exit_if_stopping(self) -> None:
        """Exit if a signal has asked to stop."""
        if self.stopping:
            raise SystemExit(0)

    def start(self) -> None:
        self.check_port()
        self.servers.start()
        self.prepare()
        keys = read_env(self.var / "dev.env")
        for name, command in commands(self.port, str(self.var), miner=self.miner).items():
            environment = {**self.environment, "AITBC_ROLE": ROLES[name]}
            if name == "miner":
                environment |= {"AITBC_MINER_KEY": keys["AITBC_MINER_KEY"]}
            self.exit_if_stopping()
            self.programs.append(Program(name, command, environment, self.console))
            self.programs[-1].start()
            if name == "web":  # with the machine to itself; what follows has something to talk to
                self.wait_for_health()

    def prepare(self) -> None:
        """Databases, administrator, keys; nothing to do when our own server was prepared by the same migrations."""
        if self.servers.postgres is None:
            self.manage("bootstrap", "--url", self.url)
            return
        done = self.servers.postgres.home / "prepared"
        state = fingerprint(self.url)
        if not (done.exists() and done.read_text() == state and (self.var / "dev.env").exists()):
            self.manage("bootstrap", "--url", self.url)
            done.write_text(state)

    def check_port(self) -> None:
        """A foreign server on our port would answer /health for us."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                raise ServerFailed(f"Port {self.port}: {error.strerror}. Give another one: --port 8090") from None

    def manage(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "aitbc", *arguments]
        process = spawn(command, env=self.environment, out=subprocess.PIPE)
        output: bytes | None = None
        try:
            while output is None:
                self.exit_if_stopping()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    output, _ = process.communicate(timeout=0.2)
        finally:
            stop(process)
        if process.returncode:
            raise ServerFailed(f"`manage.py {' '.join(arguments)}` failed:\n{output.decode(errors='replace')}")

    def wait_for_health(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.exit_if_stopping()
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health", timeout=2).is_success:
                    return
            self.restart_ended()
            time.sleep(0.1)
        raise ServerFailed(f"{self.url}/health did not answer within {seconds:.0f} s")

    def restart_ended(self) -> None:
        """Start again what has ended; nobody waits for anybody."""
        if time.monotonic() >= self.servers_due:
            for server in self.servers.ended():
                self.relaunch(server)
        for program in self.programs:
            program.restart_ended()

    def relaunch(self, server: Postgres | Valkey) -> None:
        """Start a server again; if it ends again, or cannot be started just now, once more a second later."""
        name = type(server).__name__
        self.console.print(f"[red]{name} ended; starting it again[/]")
        self.servers_due = time.monotonic() + SERVER_PAUSE
        try:
            server.launch()
        except (ServerFailed, OSError) as error:
            self.console.print(f"[red]{name} does not start: {error}[/]")

    def watch(self, until: Callable[[], bool]) -> None:
        """Keep everything running until a signal asks to stop, or until this holds."""
        while not self.stopping and not until():
            self.restart_ended()
            time.sleep(0.2)

    def stop(self) -> None:
        self.stopping = True
        self.console.print("[dim]stopping …[/]")
        for program in self.programs:  # all at once: each takes its time to finish what it holds
            if program.process is not None and program.process.poll() is None:
                program.process.terminate()
        for program in self.programs:
            program.stop()
        self.servers.stop()
        self.lock.close()
        self.console.print("[dim]stopped; nothing is left running[/]")


def fingerprint(url: str) -> str:
    """What a preparation depends on: every migration of ours and of the libraries, and the address in dev.env."""
    folders = sorted(Path(app.path) / "migrations" for app in apps.get_app_configs())
    names = [f"{file}:{file.stat().st_size}" for folder in folders for file in sorted(folder.glob("*.py"))]
    return hashlib.sha256("\n".join([url, *names]).encode()).hexdigest()


def read_env(path: Path) -> dict[str, str]:
    """The NAME=value lines of a file, with or without `export`; empty when there is none."""
    lines = path.read_text().splitlines() if path.exists() else []
    return dict(line.removeprefix("export ").split("=", 1) for line in lines if "=" in line and line[0] != "#")
