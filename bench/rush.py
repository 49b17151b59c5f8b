"""Full load: eight miners take work from four web processes as fast as they can while urgent jobs come in.

Two guarantees are checked: an urgent job overtakes the queue, and no job is granted twice.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aitbc.core.db import cursor
from apps.gpu.models import Lease
from bench.cost import metered
from bench.endpoints import POLL, REGISTER, queued
from bench.load_generator import Connection, Sample, load, quantile, send, timed
from bench.progress import step
from bench.report import Measurement
from bench.stack import Stack, stack

MINERS, PROCESSES = 8, 4
KINDS = 20  # requirement classes; every miner fits them all
JOBS, POLLS = 300, 240  # per connection: the queue never runs dry
EVERY = 0.08  # seconds between urgent jobs
TASK = f"rush-{os.getpid()}-"
WAITS = """SELECT extract(epoch FROM l.granted_at - w.created_at)::float8
FROM gpu_lease l JOIN gpu_work w ON w.id = l.work_id WHERE l.job_id = ANY (%s::uuid[])"""


def job(n: int, priority: int) -> dict[str, Any]:
    return {"task_type": f"{TASK}{n % KINDS}", "payload": {"n": n}, "priority": priority}


def submit(connection: Connection, worker: int, n: int) -> Sample:
    return send(connection, "POST", "/ai/jobs", job(n, 0))


def register(connection: Connection, worker: int, n: int) -> Sample:
    capabilities = {"supported_tasks": [f"{TASK}{n}" for n in range(KINDS)]}
    body = {"miner_id": f"rush-{worker}", "capabilities": capabilities, "concurrency": 1000}
    return send(connection, "POST", REGISTER, body)


def poll(connection: Connection, worker: int, n: int) -> Sample:
    body = {"miner_id": f"rush-{worker}", "max_wait_seconds": 0}
    status, seconds, job = timed(connection, "POST", POLL, body)
    return Sample(status, seconds, job["job_id"] if status == 200 and job else None)


@contextmanager
def urgent_jobs(exchange: Stack) -> Iterator[list[str]]:
    """Submit an urgent job every now and then; the list holds their ids once the block is over."""
    context = multiprocessing.get_context("fork")
    stop, out = context.Event(), context.Queue()
    program = context.Process(target=_submit_urgent, args=(exchange.url, exchange.client, stop, out))
    program.start()
    ids: list[str] = []
    try:
        yield ids
    finally:
        stop.set()
        ids += out.get(timeout=30)
        program.join()


def _submit_urgent(url: str, key: str, stop: Any, out: Any) -> None:
    connection, ids = Connection(url, key), []
    while not stop.wait(EVERY):
        ids.append(connection.call("POST", "/ai/jobs", job(len(ids), 10))[1]["id"])
    out.put(ids)


def run() -> Iterator[Measurement]:
    with stack(workers=PROCESSES) as exchange:
        load(exchange.url, exchange.miner, register, connections=MINERS, calls=1)
        with step(f"{MINERS * JOBS} jobs queued"):
            load(exchange.url, exchange.client, submit, connections=MINERS, calls=JOBS)
            queued(TASK, MINERS * POLLS + 100)
        with step("the rush"), urgent_jobs(exchange) as ids, metered(exchange.processes) as cost:
            polled = load(exchange.url, exchange.miner, poll, connections=MINERS, calls=POLLS)
        with cursor(Lease) as sql:
            sql.execute(WAITS, [ids])
            waits = [1000 * seconds for (seconds,) in sql.fetchall()]
    granted = polled.extra
    note = f"{len(granted)} jobs to {MINERS} miners by {PROCESSES} web processes; answers {polled.statuses}"
    yield Measurement("jobs handed out twice", len(granted) - len(set(granted)), "jobs", "<= 0", note)
    yield Measurement(
        "claims under full load", len(granted) / polled.seconds, "requests/s", "", cost.each(polled.count)
    )
    if not waits:
        raise RuntimeError("no urgent job was granted while the rush went on")
    note = f"p50 {quantile(waits, 0.5):.0f} ms, longest {max(waits):.0f} ms; {len(waits)} of {len(ids)} granted"
    yield Measurement("an urgent job waits, p95", quantile(waits, 0.95), "ms", "<= 150", note)
