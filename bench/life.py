"""Paid jobs over HTTP from submit to receipt, and how fast a miner in a long poll gets a job."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator

from apps.ai.models import AIJob
from bench.cost import metered
from bench.load_generator import Connection, Sample, load, quantile, send
from bench.progress import step
from bench.report import Measurement
from bench.stack import Stack, stack

JOBS = 1600
SUBMITTERS = 4
MINERS = 4
BATCH = 8
TASK = f"bench-life-{os.getpid()}"  # this run's jobs only, where a database is used again
PICKUPS = 120


def submit(connection: Connection, worker: int, n: int) -> Sample:
    return send(connection, "POST", "/ai/jobs", {"task_type": TASK, "payload": {"n": n}, "payment_amount": "0.001"})


def mine(url: str, key: str, name: str, task: str) -> None:
    """A miner with room for a batch, that 'computes' at once."""
    connection = Connection(url, key)
    me = {"miner_id": name}
    capabilities = {"supported_tasks": [task], "price": "0.1", "max_concurrent_jobs": BATCH}
    connection.call("POST", "/gpu/v1/miners/register", {**me, "capabilities": capabilities, "concurrency": BATCH})
    while True:
        status, answer = connection.call(
            "POST", "/gpu/v1/miners/poll", {**me, "max_wait_seconds": 20, "max_jobs": BATCH}
        )
        for job in (answer or {}).get("jobs", []) if status == 200 else []:
            body = {**me, "attempt": job["attempt"], "result": {"output": "x" * 100}}
            connection.call("POST", f"/gpu/v1/miners/{job['job_id']}/result", body)


def settled() -> int:
    """Jobs that are paid for and whose receipt is signed and in the log."""
    return AIJob.objects.filter(task_type=TASK, state="settled").exclude(receipt_id=None).count()


def lives(exchange: Stack) -> Iterator[Measurement]:
    context = multiprocessing.get_context("fork")
    miners = [
        context.Process(target=mine, args=(exchange.url, exchange.miner, f"life-{n}", TASK), daemon=True)
        for n in range(MINERS)
    ]
    for miner in miners:
        miner.start()
    started = time.perf_counter()
    with step(f"{JOBS} whole lives"), metered(exchange.processes) as cost:
        load(exchange.url, exchange.client, submit, connections=SUBMITTERS, calls=JOBS // SUBMITTERS)
        deadline = time.monotonic() + 180
        while (done := settled()) < JOBS and time.monotonic() < deadline:
            time.sleep(0.2)
        seconds = time.perf_counter() - started
        for miner in miners:
            miner.kill()
            miner.join()
    note = f"{done} of {JOBS} settled, {MINERS} miners, batches of {BATCH}; {cost.each(done)}"
    yield Measurement("whole life, paid, receipt issued", done / seconds, "jobs/s", ">= 100", note)


class IdleMiner(threading.Thread):
    """A miner that waits in a long poll, records when it gets a job, and delivers at once."""

    def __init__(self, exchange: Stack) -> None:
        super().__init__(daemon=True)
        self.connection = Connection(exchange.url, exchange.miner)
        self.got_at = 0.0
        self.arrived = threading.Event()

    def run(self) -> None:
        me = {"miner_id": "idle"}
        capabilities = {"supported_tasks": ["bench-idle"], "max_concurrent_jobs": 4}
        self.connection.call("POST", "/gpu/v1/miners/register", {**me, "capabilities": capabilities, "concurrency": 4})
        with contextlib.suppress(ConnectionError):  # the exchange stops while this miner waits
            while True:
                self.serve_one(me)

    def serve_one(self, me: dict[str, str]) -> None:
        status, job = self.connection.call("POST", "/gpu/v1/miners/poll", {**me, "max_wait_seconds": 20})
        if status != 200 or not job:
            return
        self.got_at = time.perf_counter()
        body = {**me, "attempt": job["attempt"], "result": {}}
        self.connection.call("POST", f"/gpu/v1/miners/{job['job_id']}/result", body)
        self.arrived.set()


def pickups(exchange: Stack) -> Iterator[Measurement]:
    """An unpaid job submitted to an idle exchange, until the waiting miner has it."""
    miner = IdleMiner(exchange)
    miner.start()
    client = Connection(exchange.url, exchange.client)
    waits = []
    with step(f"{PICKUPS} idle pickups"):
        for _ in range(PICKUPS):
            time.sleep(0.15)  # until the miner's next long poll waits: an idle exchange is measured
            miner.arrived.clear()
            started = time.perf_counter()
            client.call("POST", "/ai/jobs", {"task_type": "bench-idle", "payload": {}})
            if not miner.arrived.wait(30):
                raise RuntimeError("the waiting miner never got the job")
            waits.append(1000 * (miner.got_at - started))
    note = f"of {PICKUPS}, counted from before the submit"
    yield Measurement("idle pickup by a long poll, p50", quantile(waits, 0.5), "ms", "<= 50", note)
    yield Measurement(
        "idle pickup by a long poll, p99", quantile(waits, 0.99), "ms", "<= 250", f"longest {max(waits):.0f}"
    )


def run() -> Iterator[Measurement]:
    with stack() as exchange:
        yield from pickups(exchange)
        yield from lives(exchange)
