"""A whole exchange of real processes, clients and miners that log every 2xx, and a nemesis that kills from a seed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
FINAL = {"settled", "failed", "cancelled", "expired", "dead", "refused"}
# What the nemesis looks for in the command lines of the supervisor's descendants.
TARGETS = {
    "web": ("granian",),
    "worker": ("celery", "worker"),
    "relay": ("aitbc", "relay"),
    "postgres": ("postgres", "-D"),
    "valkey": ("valkey-server",),
}


def processes() -> dict[int, tuple[int, str]]:
    """pid → (parent, command line) of every process."""
    found = {}
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            stat = (path / "stat").read_text().rpartition(")")[2].split()
            found[int(path.name)] = (int(stat[1]), (path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def belonging(var: str) -> dict[int, str]:
    """pid → command line of the processes that work in this stack's folder (its environment names it)."""
    found = {}
    for pid, (_, command) in processes().items():
        with contextlib.suppress(OSError):
            environment = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
            if var in environment or var in command:
                found[pid] = command
    return found


class Stack:
    """`manage.py up` in a folder of its own."""

    def __init__(self, var: Path, port: int) -> None:
        self.var = var
        self.url = f"http://127.0.0.1:{port}"
        environment = {k: v for k, v in os.environ.items() if not k.endswith(("DATABASE_URL", "REDIS_URL"))}
        environment |= {"AITBC_VAR_DIR": str(var), "DJANGO_SETTINGS_MODULE": "aitbc.settings"}
        for name in ("AITBC_TESTING", "AITBC_LOG_LEVEL", "AITBC_RUN_DIR"):
            environment.pop(name, None)
        self.environment = environment
        self.log = (var / "up.log").open("wb")
        self.process = subprocess.Popen(
            [PYTHON, "-m", "aitbc", "up", "--no-demo", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.keys = self.wait_ready(120)

    def wait_ready(self, seconds: float) -> dict[str, str]:
        deadline = time.monotonic() + seconds
        file = self.var / "dev.env"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(
                    f"up ended with {self.process.returncode}: {(self.var / 'up.log').read_text()[-3000:]}"
                )
            with contextlib.suppress(httpx.HTTPError):
                if file.exists() and httpx.get(f"{self.url}/health", timeout=2).is_success:
                    return dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
            time.sleep(0.1)
        raise RuntimeError(f"not ready in {seconds} s: {(self.var / 'up.log').read_text()[-3000:]}")

    def kill(self, target: str, draw: random.Random) -> bool:
        """SIGKILL one process of this kind; False when none runs just now."""
        words = TARGETS[target]
        victims = [
            pid
            for pid, command in belonging(str(self.var)).items()
            if pid != self.process.pid and all(word in command for word in words)
        ]
        if not victims:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(draw.choice(sorted(victims)), signal.SIGKILL)
        return True

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PYTHON, "-m", "aitbc", *arguments],
            cwd=ROOT,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=120,
        )

    def stop(self) -> list[str]:
        """SIGTERM the supervisor; returns the command lines of processes it left behind."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        left = belonging(str(self.var))
        left.pop(os.getpid(), None)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return sorted(left.values())


@dataclass
class Witness:
    """Every 2xx that anybody was given: the oracle."""

    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def persistent(http: httpx.Client, method: str, path: str, deadline: float, **request: Any) -> httpx.Response | None:
    """Send until something other than 5xx or silence comes back."""
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            answer = http.request(method, path, **request)
            if answer.status_code < 500 and answer.status_code != 429:
                return answer
        time.sleep(0.05)
    return None


def client(stack: Stack, name: int, jobs: int, pause: float, witness: Witness, deadline: float) -> None:
    """Submit so many paid jobs, each with an Idempotency-Key, retried until answered."""
    with httpx.Client(
        base_url=stack.url, headers={"Authorization": f"Bearer {stack.keys['AITBC_CLIENT_KEY']}"}, timeout=10
    ) as http:
        for n in range(jobs):
            body = {
                "task_type": "chaos",
                "payload": {"n": f"{name}-{n}"},
                "payment_amount": "0.010000",
                "max_attempts": 10,
            }
            answer = persistent(
                http, "POST", "/ai/jobs", deadline, json=body, headers={"Idempotency-Key": f"{name}-{n}"}
            )
            if answer is not None and answer.status_code == 201:
                with witness.lock:
                    witness.accepted[answer.json()["id"]] = body
            time.sleep(pause)


def miner(stack: Stack, name: int, witness: Witness, stop: threading.Event, deadline: float) -> None:
    """Poll, 'compute', deliver until acknowledged."""
    me = f"chaos-{name}"
    headers = {"Authorization": f"Bearer {stack.keys['AITBC_MINER_KEY']}", "X-Miner-ID": me}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=15) as http:
        capabilities = {"supported_tasks": ["chaos"], "price": "0.5", "max_concurrent_jobs": 4}
        persistent(
            http, "POST", "/gpu/v1/miners/register", deadline, json={"capabilities": capabilities, "concurrency": 4}
        )
        while not stop.is_set():
            with contextlib.suppress(httpx.HTTPError):
                persistent(http, "POST", "/gpu/v1/miners/heartbeat", time.monotonic() + 3, json={"status": "ONLINE"})
                answer = http.post("/gpu/v1/miners/poll", json={"max_wait_seconds": 2})
                if answer.status_code == 200 and answer.json():
                    deliver(http, answer.json(), witness, deadline)


def deliver(http: httpx.Client, job: dict[str, Any], witness: Witness, deadline: float) -> None:
    result = {"echo": job["payload"]["n"], "by": job["attempt"]}
    path = f"/gpu/v1/miners/{job['job_id']}/result"
    answer = persistent(http, "POST", path, deadline, json={"result": result, "attempt": job["attempt"]})
    if answer is not None and answer.is_success:
        with witness.lock:
            witness.results[job["job_id"]] = result


def nemesis(stack: Stack, seed: int, kills: int, log: list[str], stop: threading.Event) -> None:
    """Kill something every one to three seconds."""
    draw = random.Random(seed)
    for _ in range(kills):
        if stop.wait(draw.uniform(1.0, 3.0)):
            return
        target = draw.choice(sorted(TARGETS))
        log.append(f"{target}{'' if stack.kill(target, draw) else ' (absent)'}")


@contextlib.contextmanager
def running(*threads: threading.Thread) -> Iterator[None]:
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def settle_down(stack: Stack, witness: Witness, seconds: float) -> dict[str, str]:
    """Wait until every accepted job is final; returns id → state."""
    states: dict[str, str] = {}
    deadline = time.monotonic() + seconds
    with httpx.Client(
        base_url=stack.url, headers={"Authorization": f"Bearer {stack.keys['AITBC_CLIENT_KEY']}"}, timeout=10
    ) as http:
        while time.monotonic() < deadline and any(states.get(job) not in FINAL for job in witness.accepted):
            for job in witness.accepted:
                if states.get(job) not in FINAL:
                    answer = persistent(http, "GET", f"/ai/jobs/{job}", deadline)
                    states[job] = answer.json().get("state", "?") if answer is not None else "?"
            time.sleep(0.5)
    return states


def result_of(stack: Stack, job: str) -> Any:
    headers = {"Authorization": f"Bearer {stack.keys['AITBC_CLIENT_KEY']}"}
    answer = httpx.get(f"{stack.url}/ai/jobs/{job}/result", headers=headers, timeout=10)
    return json.loads(answer.content).get("result")
