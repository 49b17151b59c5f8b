"""A whole exchange of real processes, `manage.py up` in a folder of its own, and how to hurt it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from aitbc.embedded.processes import spawn
from aitbc.embedded.supervisor import read_env
from tests.embedded.processes import ROOT, of_folder

# What the nemesis looks for in the command lines of the supervisor's descendants.
TARGETS = {
    "backend": "postgres: ",
    "beat": " beat ",
    "miner": " run --state-dir ",
    "postgres": "bin/postgres -D",
    "relay": "-m aitbc relay",
    "valkey": "valkey-server",
    "web": "granian",
    "worker": " worker ",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """Started when made; `stop` says what it left behind. `environment` is what a shell beside it would have."""

    def __init__(self, var: Path, port: int = 0, **environment: str) -> None:
        self.var, self.port = var, port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
        inherited = {
            name: text for name, text in os.environ.items() if name not in own and not name.startswith("AITBC")
        }
        self.environment = {**inherited, "AITBC_VAR_DIR": str(var), **environment}
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(ROOT / "manage.py"), "up", "--no-demo", "--port", str(self.port)]
        with (self.var / "up.log").open("ab") as log:
            self.process = spawn(command, env=self.environment, out=log)  # it ends with this test, however that ends
        self.wait(240)
        self.keys = read_env(self.var / "dev.env")

    def wait(self, seconds: float) -> None:
        """Until it answers and its own miner runs."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if self.found("miner") and httpx.get(f"{self.url}/health", timeout=2).is_success:
                    return
            time.sleep(0.1)
        raise AssertionError(f"it does not run: {self.log_text()[-3000:]}")

    def log_text(self) -> str:
        return (self.var / "up.log").read_text(errors="replace")

    def found(self, target: str) -> list[int]:
        if target == "backend":
            return self.backends()
        return sorted(pid for pid, command in of_folder(self.var).items() if TARGETS[target] in command)

    def backends(self) -> list[int]:
        """PostgreSQL's own processes but the first: they work in its data folder, and hide their environment."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                inside = self.var in Path(os.readlink(process / "cwd")).parents
                if inside and (process / "cmdline").read_bytes().startswith(b"postgres: "):
                    found.append(int(process.name))
        return sorted(found)

    def kill(self, target: str, draw: random.Random, patience: float = 5) -> bool:
        """SIGKILL one process of this kind; False when none came up for so long."""
        until = time.monotonic() + patience
        while not (victims := self.found(target)) and time.monotonic() < until:
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            if victims:
                os.kill(draw.choice(victims), signal.SIGKILL)
        return bool(victims)

    def flush(self) -> bool:
        """FLUSHALL: what Valkey held is gone."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
            line.settimeout(2)
            line.connect(str(self.var / "run" / "valkey.sock"))
            line.sendall(b"FLUSHALL\r\n")
            return line.recv(16).startswith(b"+OK")
        return False

    def http(self, role: str, timeout: float = 10) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.keys[f'AITBC_{role}_KEY']}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=timeout)

    def fund(self, amount: str) -> None:
        """Give the demo client money."""
        with self.http("CLIENT") as client, self.http("OPERATOR") as operator:
            owner = client.get("/trading/v1/ledger/balance").raise_for_status().json()["owner_id"]
            body = {"owner_id": owner, "amount": amount, "reason": "to spend under fire"}
            operator.post("/trading/v1/deposits", json=body, headers={"Idempotency-Key": "funds"}).raise_for_status()

    def miner_key(self, owner: str) -> str:
        """A key for miners of somebody else than the supervised one's owner."""
        made = self.manage("key", "create", "--owner", owner, "--scope", "miner", "--json")
        return str(json.loads(made.stdout)["key"])

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        return subprocess.run(command, env=self.environment, text=True, capture_output=True, timeout=120)

    def die(self) -> None:
        """SIGKILL the supervisor, which takes everything down, and wait until all is gone."""
        self.process.kill()
        self.process.wait()
        self.left(30)

    def stop(self) -> list[str]:
        """SIGTERM the supervisor; returns the command lines of processes it left behind (and kills those)."""
        self.process.terminate()
        try:
            self.process.wait(90)
        except subprocess.TimeoutExpired:
            self.process.kill()
        left = self.left(5)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return sorted(left.values())

    def left(self, seconds: float) -> dict[int, str]:
        """What still runs after at most so long."""
        deadline = time.monotonic() + seconds
        while (left := of_folder(self.var)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left
