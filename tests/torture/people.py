"""Clients and miners that go on whatever happens, and remember every 2xx they got: the oracle."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.torture.stack import Stack

FINAL = {"settled", "failed", "cancelled", "expired", "dead", "refused"}
# Short, so that what a kill interrupts is soon tried again.
LIMITS = {"start_seconds": 8, "heartbeat_seconds": 8, "max_attempts": 10}
MINERS = "/gpu/v1/miners"


@dataclass
class Witness:
    """What was answered 2xx, and what should not have been."""

    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def by(self, miner: str) -> int:
        return sum(result["by"] == miner for result in self.results.values())


def persistent(http: httpx.Client, method: str, path: str, until: float, **request: Any) -> httpx.Response | None:
    """Send until an answer comes that is final: no 5xx, and nothing that says when to try again."""
    while time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError):
            answer = http.request(method, path, **request)
            if answer.status_code < 500 and "Retry-After" not in answer.headers:
                return answer
        time.sleep(0.1)
    return None


@dataclass
class Client:
    """Submits so many paid jobs, each with an Idempotency-Key; every third is for the reference miner."""

    stack: Stack
    name: int
    jobs: int
    pause: float
    witness: Witness
    until: float

    def run(self) -> None:
        with self.stack.http("CLIENT") as http:
            for n in range(self.jobs):
                body = self.job(n)
                headers = {"Idempotency-Key": f"{self.name}-{n}"}
                answer = persistent(http, "POST", "/ai/jobs", self.until, json=body, headers=headers)
                with self.witness.lock:
                    if answer is not None and answer.status_code == 201:
                        self.witness.accepted[answer.json()["id"]] = body
                    else:
                        self.witness.wrong.append(f"submit {self.name}-{n}: {answer and answer.text}")
                time.sleep(self.pause)

    def job(self, n: int) -> dict[str, Any]:
        real = n % 3 == 0
        payload = {"size": 64, "seed": n, "rounds": 2} if real else {"n": f"{self.name}-{n}"}
        kind = "benchmark" if real else "chaos"
        return {"task_type": kind, "payload": payload, "payment_amount": "0.010000", **LIMITS}


@dataclass
class Miner:
    """Polls, delivers until acknowledged, and tries what must not count: no 2xx for those."""

    stack: Stack
    key: str
    name: str
    draw: random.Random
    witness: Witness
    stop: threading.Event
    until: float

    def run(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}", "X-Miner-ID": self.name}
        offer = {"capabilities": {"supported_tasks": ["chaos"], "price": "0.5"}, "concurrency": 4}
        with httpx.Client(base_url=self.stack.url, headers=headers, timeout=15) as http:
            persistent(http, "POST", f"{MINERS}/register", self.until, json=offer)
            while not self.stop.is_set():
                try:
                    self.work(http)
                except httpx.HTTPError:
                    time.sleep(0.1)

    def work(self, http: httpx.Client) -> None:
        # It names no job: what was handed to it and it does not know of is not pushed on.
        http.post(f"{MINERS}/heartbeat", json={"status": "ONLINE", "jobs": []})
        answer = http.post(f"{MINERS}/poll", json={"max_wait_seconds": 2, "max_jobs": 2})
        if answer.status_code >= 500:
            time.sleep(0.1)
        if answer.status_code == 200:
            for job in answer.json()["jobs"]:
                self.deliver(http, job)

    def deliver(self, http: httpx.Client, job: dict[str, Any]) -> None:
        path, attempt = f"{MINERS}/{job['job_id']}/result", job["attempt"]
        result = {"echo": job["payload"]["n"], "by": self.name, "attempt": attempt}
        self.bad(http, path, [{"attempt": attempt}, {"result": result, "attempt": "x"}], "malformed")
        self.bad(http, path, [{"result": {"echo": "forged"}, "attempt": attempt + 1}], "of another attempt")
        answer = persistent(http, "POST", path, self.until, json={"result": result, "attempt": attempt})
        if answer is None or not answer.is_success:
            return
        with self.witness.lock:
            before = self.witness.results.setdefault(job["job_id"], result)
        if before != result:
            self.witness.wrong.append(f"two results of {job['job_id']} were accepted: {before}, {result}")
        self.bad(http, path, [{"result": {"echo": "changed my mind"}, "attempt": attempt}], "second, different")

    def bad(self, http: httpx.Client, path: str, bodies: list[dict[str, Any]], what: str) -> None:
        """Now and then send what must be refused."""
        if self.draw.random() > 0.2:
            return
        with contextlib.suppress(httpx.HTTPError):
            answer = http.post(path, json=self.draw.choice(bodies))
            if answer.is_success:
                self.witness.wrong.append(f"a result that is {what} was accepted: {answer.text}")


def settle_down(stack: Stack, jobs: list[str], until: float) -> dict[str, str]:
    """Wait until every one of these jobs is final; returns id → state."""
    states: dict[str, str] = {}
    with stack.http("CLIENT") as http:
        while time.monotonic() < until and (left := [job for job in jobs if states.get(job) not in FINAL]):
            for job in left:
                answer = persistent(http, "GET", f"/ai/jobs/{job}", until)
                states[job] = answer.json().get("state", "?") if answer is not None else "?"
            time.sleep(0.5)
    return states
