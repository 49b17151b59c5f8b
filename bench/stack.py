"""The exchange under load: real web and relay processes on the databases of DATABASE_URL, with funded keys."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
from django.core.management import call_command

from aitbc.accounts.services import keys, organisations
from aitbc.core import pubsub
from apps.trading.services import deposits

ROOT = Path(__file__).parents[1]
NO_LIMIT = "1000000000"


@dataclass(frozen=True)
class Stack:
    """Where to send requests, and as whom."""

    url: str
    client: str
    miner: str
    processes: dict[str, int]  # role → process id


@cache
def migrated() -> tuple[str, str]:
    """Migrate everything once; returns a funded client's key and a miner's."""
    call_command("migrate_all", verbosity=0)
    payer = organisations.named("bench-client")
    deposits.deposit(owner_id=payer.pk, amount=10**12, reason="bench", actor="bench")
    _, client = keys.create(payer, ("client",), "bench")
    _, miner = keys.create(organisations.named("bench-miner"), ("miner",), "bench")
    return client, miner


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def stack(*, relay: bool = True, workers: int = 2) -> Iterator[Stack]:
    """Web workers (and a relay) while the block runs."""
    client, miner = migrated()
    port = free_port()
    limits = {f"AITBC_LIMIT_{name}": NO_LIMIT for name in ("ACTOR", "MINER", "OPERATOR", "ANONYMOUS", "GLOBAL")}
    commands = {"web": ["serve", "--port", str(port), "--workers", str(workers)]}
    if relay:
        commands["relay"] = ["relay"]
    running = {
        role: subprocess.Popen(
            [sys.executable, "-m", "aitbc", *command],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **limits, "AITBC_ROLE": role},
        )
        for role, command in commands.items()
    }
    try:
        wait_for(f"http://127.0.0.1:{port}/health")
        wait_for_listeners("web", workers)
        wait_for_listeners("relay", int(relay))
        yield Stack(f"http://127.0.0.1:{port}", client, miner, {role: one.pid for role, one in running.items()})
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_for_listeners(role: str, count: int, seconds: float = 60) -> None:
    """Wait until so many processes of this role listen, so that start-up is not measured."""
    deadline = time.monotonic() + seconds
    while sum(map(is_alive, pubsub.folder().glob(f"{role}-*.sock"))) < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{role} did not start")
        time.sleep(0.05)


def is_alive(listener: Path) -> bool:
    """Whether the process that this socket is named after still runs."""
    return Path(f"/proc/{listener.name.split('-')[1]}").exists()


def wait_for(url: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, timeout=2).is_success:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{url} did not answer")
