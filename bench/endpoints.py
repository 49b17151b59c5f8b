"""The hot endpoints over HTTP, eight connections, fsync on, against PostgreSQL alone with their statements.

Submit, heartbeat, poll with a claim, result, list. The load generator shares the cores.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Self

from aitbc.core import metrics
from aitbc.domains import LABELS
from apps.gpu.models import Work
from bench import raw
from bench.cost import Cost, metered
from bench.load_generator import Connection, Measured, Sample, Step, load, send, timed
from bench.progress import step
from bench.report import Measurement
from bench.stack import Stack, stack

CONNECTIONS = 8
CALLS = 250
LISTS = 60
TASK = "bench-endpoints"
POLL, REGISTER, HEARTBEAT = "/gpu/v1/miners/poll", "/gpu/v1/miners/register", "/gpu/v1/miners/heartbeat"


def identity(worker: int) -> dict[str, Any]:
    return {"miner_id": f"bench-{worker}"}


def submit(connection: Connection, worker: int, n: int) -> Sample:
    return send(connection, "POST", "/ai/jobs", {"task_type": TASK, "payload": {"n": n, "worker": worker}})


def submit_paid(connection: Connection, worker: int, n: int) -> Sample:
    body = {"task_type": "bench-paid", "payload": {"n": n, "worker": worker}, "payment_amount": "0.001"}
    return send(connection, "POST", "/ai/jobs", body)


def register(connection: Connection, worker: int, n: int) -> Sample:
    capabilities = {"supported_tasks": [TASK], "price": "0.1", "max_concurrent_jobs": 1000}
    return send(connection, "POST", REGISTER, {**identity(worker), "capabilities": capabilities, "concurrency": 1000})


def heartbeat(connection: Connection, worker: int, n: int) -> Sample:
    return send(connection, "POST", HEARTBEAT, {**identity(worker), "status": "ONLINE", "inflight": 0})


def poll(connection: Connection, worker: int, n: int) -> Sample:
    """Take one job; the sample holds the miner, the job and the attempt."""
    status, seconds, job = timed(connection, "POST", POLL, {**identity(worker), "max_wait_seconds": 0})
    return Sample(status, seconds, (worker, job["job_id"], job["attempt"]) if status == 200 and job else None)


def results_of(taken: list[tuple[int, str, int]]) -> Step:
    """Each miner delivers what it took, job by job."""
    by_miner = [[job for worker, *job in taken if worker == n] for n in range(CONNECTIONS)]

    def result(connection: Connection, worker: int, n: int) -> Sample:
        job_id, attempt = by_miner[worker][n]
        body = {**identity(worker), "attempt": attempt, "result": {"status": "completed", "output": "x" * 200}}
        return send(connection, "POST", f"/gpu/v1/miners/{job_id}/result", body)

    return result


def listing(connection: Connection, worker: int, n: int) -> Sample:
    return send(connection, "GET", "/ai/jobs?limit=50")


def rate(measured: Measured, cost: Cost, name: str, target: str, status: int) -> Measurement:
    """Good answers per second."""
    good = measured.statuses.get(status, 0)
    note = f"p50 {measured.percentile(0.5):.1f} ms, p99 {measured.percentile(0.99):.1f} ms; {cost.each(measured.count)}"
    if good != measured.count:
        note += f"; answers {measured.statuses}"
    return Measurement(name, good / measured.seconds, "requests/s", target, note)


@dataclass(frozen=True)
class Bare:
    """The statements of an endpoint, executed without it."""

    rate: float
    cpu: float  # seconds each, client and database

    @classmethod
    def measured(cls, measure: Callable[[], float]) -> Self:
        with step(f"bare {measure.__name__.replace('_', ' ')}"), metered({}) as cost:
            rate = measure()
        return cls(rate, cost.total / (raw.CONNECTIONS * raw.CALLS))

    def beside(self, endpoint: Measurement, cpu: float, name: str, target: str = "") -> Iterator[Measurement]:
        """The endpoint's rate as a share of the bare one; by CPU time too, which other load changes less."""
        note = f"{raw.CONNECTIONS} connections, prepared; CPU ms: {1000 * self.cpu:.2f}"
        yield Measurement(name, self.rate, "transactions/s", "", note)
        note = f"by CPU {100 * self.cpu / cpu:.1f} %" if cpu else ""
        yield Measurement(f"{endpoint.name} ÷ {name}", 100 * endpoint.value / self.rate, "%", target, note)


def queued(task: str, count: int, seconds: float = 120) -> None:
    """Until so many jobs wait in the queue."""
    deadline = time.monotonic() + seconds
    while Work.objects.waiting().filter(body__task_type__startswith=task).count() < count:
        if time.monotonic() > deadline:
            raise RuntimeError("the relay did not queue the jobs in time")
        time.sleep(0.1)


def delivered(seconds: float = 120) -> None:
    """Until the relay has nothing left to do beside what is measured next."""
    deadline = time.monotonic() + seconds
    while any((found := metrics.outbox_status(label)) and found.waiting for label in LABELS):
        if time.monotonic() > deadline:
            raise RuntimeError("the relay did not deliver everything in time")
        time.sleep(0.1)


def run() -> Iterator[Measurement]:
    with stack() as exchange:
        yield from Endpoints(exchange).measurements()


class Endpoints:
    """The endpoints of one exchange, measured one after the other."""

    def __init__(self, exchange: Stack) -> None:
        self.exchange = exchange
        self.claimed: list[tuple[int, str, int]] = []  # of the endpoint measured last: miner, job, attempt

    def loaded(self, endpoint: Step, key: str, calls: int = CALLS) -> tuple[Measured, Cost]:
        with step(endpoint.__name__.replace("_", " ")), metered(self.exchange.processes) as cost:
            measured = load(self.exchange.url, key, endpoint, connections=CONNECTIONS, calls=calls)
        return measured, cost

    def measurements(self) -> Iterator[Measurement]:
        client, miner = self.exchange.client, self.exchange.miner
        load(self.exchange.url, miner, register, connections=CONNECTIONS, calls=1)
        load(self.exchange.url, client, submit, connections=CONNECTIONS, calls=10)
        yield from self.compared(submit, client, raw.submit_rate, ("submit over HTTP", ">= 500", 201))
        yield rate(*self.loaded(submit_paid, client), "submit over HTTP, paid", "", 201)
        with step("queued by the relay"):
            queued(TASK, CONNECTIONS * CALLS)
        yield from self.compared(heartbeat, miner, raw.heartbeat_rate, ("heartbeat over HTTP", ">= 900", 200))
        least = Bare.measured(raw.least_claim_rate)
        endpoint = yield from self.compared(
            poll, miner, raw.claim_rate, ("poll + claim over HTTP", ">= 600", 200), ">= 10"
        )
        yield from least.beside(*endpoint, "the least a claim can do")
        yield rate(*self.loaded(results_of(self.claimed), miner, self.fewest()), "result over HTTP", ">= 400", 200)
        with step("messages delivered"):
            delivered()
        yield rate(*self.loaded(listing, client, LISTS), "list of 50 jobs", ">= 500", 200)

    def compared(
        self, endpoint: Step, key: str, bare: Callable[[], float], named: tuple[str, str, int], part: str = ""
    ) -> Generator[Measurement, None, tuple[Measurement, float]]:
        """The bare statements, then the endpoint; returns its measurement and its CPU seconds per request."""
        alone = Bare.measured(bare)
        measured, cost = self.loaded(endpoint, key)
        self.claimed = measured.extra
        measurement, cpu = rate(measured, cost, *named), cost.total / measured.count
        yield measurement
        yield from alone.beside(measurement, cpu, f"{endpoint.__name__}, bare", part)
        return measurement, cpu

    def fewest(self) -> int:
        """How many jobs every miner took, at least."""
        return min(Counter({n: 0 for n in range(CONNECTIONS)} | Counter(w for w, *_ in self.claimed)).values())
