"""10,000 registered miners with one GPU each and a heartbeat with its metrics every 15 seconds: 667 a second."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from typing import Any

from aitbc.core.db import cursor
from apps.gpu.models import Miner
from bench.cost import metered
from bench.load_generator import Connection, quantile
from bench.progress import step
from bench.report import Measurement
from bench.stack import Stack, stack

MINERS = 10_000
EVERY = 15.0
ROUNDS = 2
LANES = 16
GPU = {"name": "NVIDIA GeForce RTX 4090", "memory_mb": 24564, "uuid": "GPU-herd-0"}
COPY = """INSERT INTO gpu_miner (id, owner_id, key_id, name, session, state, version, capabilities, offer,
  capability_version, concurrency, region, price, reputation, booked, attention, metrics, last_heartbeat, changed_at,
  created_at)
SELECT gen_random_uuid(), owner_id, '', 'herd-' || n, session, state, version, capabilities, offer, capability_version,
  concurrency, region, price, reputation, booked, attention, metrics, last_heartbeat, changed_at, created_at
FROM gpu_miner, generate_series(1, %s) n WHERE name = 'herd-0'
ON CONFLICT DO NOTHING"""
COPY_GPU = """INSERT INTO gpu_gpuregistry SELECT (jsonb_populate_record(g, jsonb_build_object(
  'id', gen_random_uuid(), 'miner_id', m.id, 'uuid', 'GPU-' || m.name))).*
FROM gpu_gpuregistry g, gpu_miner m WHERE g.uuid = 'GPU-herd-0' AND m.name LIKE 'herd-%%' AND m.name <> 'herd-0'
ON CONFLICT DO NOTHING"""


def beat(url: str, key: str, lane: int, out: Any) -> None:
    """Every LANESth miner of the herd on one connection, each at its own moment, two rounds."""
    connection = Connection(url, key)
    names = range(1 + lane, MINERS + 1, LANES)
    pace = EVERY / len(names)
    start = time.perf_counter()
    waits = []
    for n in range(ROUNDS * len(names)):
        due = start + n * pace
        if (pause := due - time.perf_counter()) > 0:
            time.sleep(pause)
        if time.perf_counter() > start + ROUNDS * EVERY:
            break  # too slow to keep pace: what is left was not sent
        name = f"herd-{names[n % len(names)]}"
        gpu = {"uuid": f"GPU-{name}", "utilization": n % 100, "memory_used_mb": 9000, "power_w": 300.5}
        body = {"miner_id": name, "status": "ONLINE", "inflight": 0, "metrics": {"gpus": [gpu]}}
        status, _ = connection.call("POST", "/gpu/v1/miners/heartbeat", body)
        waits.append((n // len(names), status, time.perf_counter() - due))  # from when due: a late start counts too
    out.put(waits)


def herd(exchange: Stack) -> Iterator[Measurement]:
    first = Connection(exchange.url, exchange.miner)
    body = {"miner_id": "herd-0", "capabilities": {"supported_tasks": ["herd"], "gpus": [GPU]}, "concurrency": 1}
    first.call("POST", "/gpu/v1/miners/register", body)
    with cursor(Miner) as sql:
        sql.execute(COPY, [MINERS])
        sql.execute(COPY_GPU)
    context = multiprocessing.get_context("fork")
    out = context.Queue()
    lanes = [context.Process(target=beat, args=(exchange.url, exchange.miner, n, out)) for n in range(LANES)]
    with step(f"{MINERS} miners for {ROUNDS * EVERY:.0f} s"), metered(exchange.processes) as cost:
        for lane in lanes:
            lane.start()
        waits = [item for _ in lanes for item in out.get()]
        for lane in lanes:
            lane.join()
    late = ROUNDS * MINERS - len(waits)
    refused = sum(status != 200 for _, status, _ in waits)
    note = f"{len(waits) / (ROUNDS * EVERY):.0f}/s, {refused} refused, {late} not sent in time; {cost.each(len(waits))}"
    cold, warm = ([1000 * seconds for n, _, seconds in waits if n == number] for number in range(ROUNDS))
    yield Measurement("heartbeat of 10,000 miners, p99", quantile(warm or cold, 0.99), "ms", "<= 200", note)
    yield Measurement("… in the first round, nothing known yet", quantile(cold, 0.99), "ms")


def run() -> Iterator[Measurement]:
    with stack() as exchange:
        yield from herd(exchange)
