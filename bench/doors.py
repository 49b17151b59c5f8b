"""The hot doors over HTTP, eight connections, fsync on: submit, heartbeat, poll with a claim, result, list."""

from __future__ import annotations

import time
from collections.abc import Iterator

from apps.gpu.models import Work
from bench.http import Connection, Measured, load, timed
from bench.report import Figure
from bench.stack import stack

CALLS = 250
CONNECTIONS = 8
TASK = "bench-doors"


def submit(connection: Connection, worker: int, n: int) -> list[tuple[int, float]]:
    body = {"task_type": TASK, "payload": {"n": n, "worker": worker}}
    return [timed(connection, "POST", "/ai/jobs", body)[:2]]


def submit_paid(connection: Connection, worker: int, n: int) -> list[tuple[int, float]]:
    body = {"task_type": "bench-paid", "payload": {"n": n, "worker": worker}, "payment_amount": "0.001"}
    return [timed(connection, "POST", "/ai/jobs", body)[:2]]


def heartbeat(connection: Connection, worker: int, n: int) -> list[tuple[int, float]]:
    body = {"miner_id": f"bench-{worker}", "status": "ONLINE", "inflight": 0}
    return [timed(connection, "POST", "/gpu/v1/miners/heartbeat", body)[:2]]


def register(connection: Connection, worker: int, n: int) -> list[tuple[int, float]]:
    capabilities = {"supported_tasks": [TASK], "price": "0.1", "max_concurrent_jobs": 1000}
    body = {"miner_id": f"bench-{worker}", "capabilities": capabilities, "concurrency": 1000}
    return [timed(connection, "POST", "/gpu/v1/miners/register", body)[:2]]




def claim_then_result(connection: Connection, worker: int, n: int) -> list[tuple[int, float]]:
    """Two requests a step: a poll that claims one job, and its result. Polls are told apart by a status + 1000."""
    me = {"miner_id": f"bench-{worker}"}
    status, seconds, job = timed(connection, "POST", "/gpu/v1/miners/poll", {**me, "max_wait_seconds": 0})
    found = [(status + 1000, seconds)]
    if job:
        body = {**me, "attempt": job["attempt"], "result": {"status": "completed", "output": "x" * 200}}
        found.append(timed(connection, "POST", f"/gpu/v1/miners/{job['job_id']}/result", body)[:2])
    return found


def listing(connection: Connection, worker: int, n: int) -> list[tuple[int, float]]:
    return [timed(connection, "GET", "/ai/jobs?limit=50")[:2]]


def rate(measured: Measured, name: str, target: str, status: int) -> Figure:
    good = measured.statuses.get(status, 0)
    note = f"p50 {measured.percentile(0.5):.1f} ms, p99 {measured.percentile(0.99):.1f} ms"
    if good != measured.count:
        note += f"; answers {measured.statuses}"
    return Figure(name, good / measured.seconds, "requests/s", target, note)


def queued(count: int, seconds: float = 120) -> None:
    """Until the relay has carried so many jobs into the queue."""
    deadline = time.monotonic() + seconds
    while Work.objects.filter(body__task_type=TASK).count() < count:
        if time.monotonic() > deadline:
            raise RuntimeError("the relay did not queue the jobs in time")
        time.sleep(0.1)


def run() -> Iterator[Figure]:
    with stack() as exchange:
        load(exchange.url, exchange.miner, register, connections=CONNECTIONS, calls=1)
        made = load(exchange.url, exchange.client, submit, connections=CONNECTIONS, calls=CALLS)
        yield rate(made, "submit over HTTP (unpaid)", ">= 500", 201)
        paid = load(exchange.url, exchange.client, submit_paid, connections=CONNECTIONS, calls=CALLS)
        yield rate(paid, "submit over HTTP (paid)", ">= 500", 201)
        yield rate(load(exchange.url, exchange.miner, heartbeat, calls=CALLS), "heartbeat over HTTP", ">= 900", 200)
        queued(CONNECTIONS * CALLS)
        both = load(exchange.url, exchange.miner, claim_then_result, connections=CONNECTIONS, calls=CALLS)
        yield Figure(
            "poll + claim, then result, over HTTP", both.statuses.get(1200, 0) / both.seconds, "pairs/s", "",
            f"p50 {both.percentile(0.5):.1f} ms a request; answers {both.statuses}",
        )
        yield rate(load(exchange.url, exchange.client, listing, calls=60), "list of 50 jobs", ">= 500", 200)
