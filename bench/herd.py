"""10,000 registered miners with a card each, sending a heartbeat with its figures every 15 seconds: 667 a second."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from typing import Any

from aitbc.core.db import cursor
from apps.gpu.models import Miner
from bench.http import Connection, timed
from bench.report import Figure
from bench.stack import Stack, stack

MINERS = 10_000
EVERY = 15.0
SECONDS = 20.0
CONNECTIONS = 8
CARD = {"name": "NVIDIA GeForce RTX 4090", "memory_mb": 24564, "uuid": "GPU-herd-0"}
COPY = """INSERT INTO gpu_miner (id, owner_id, key_id, name, session, state, version, capabilities, offer,
  capability_version, concurrency, region, price, reputation, booked, attention, metrics, last_heartbeat, changed_at,
  created_at)
SELECT gen_random_uuid(), owner_id, '', 'herd-' || n, session, state, version, capabilities, offer, capability_version,
  concurrency, region, price, reputation, booked, attention, metrics, last_heartbeat, changed_at, created_at
FROM gpu_miner, generate_series(1, %s) n WHERE name = 'herd-0'"""
COPY_CARD = """INSERT INTO gpu_gpuregistry SELECT (jsonb_populate_record(g, jsonb_build_object(
  'id', gen_random_uuid(), 'miner_id', m.id, 'uuid', 'GPU-' || m.name))).*
FROM gpu_gpuregistry g, gpu_miner m WHERE g.uuid = 'GPU-herd-0' AND m.name LIKE 'herd-%%' AND m.name <> 'herd-0'"""


def beat(url: str, key: str, lane: int, out: Any) -> None:
    """Every EVERYth part of the herd on one connection, each at its own moment."""
    connection = Connection(url, key)
    names = range(1 + lane, MINERS + 1, CONNECTIONS)
    pace = EVERY / len(names)
    start = time.perf_counter()
    waits, n = [], 0
    while (due := start + n * pace) < start + SECONDS:
        if (pause := due - time.perf_counter()) > 0:
            time.sleep(pause)
        name = f"herd-{names[n % len(names)]}"
        card = {"uuid": f"GPU-{name}", "utilization": n % 100, "memory_used_mb": 9000, "power_w": 300.5}
        body = {"miner_id": name, "status": "ONLINE", "inflight": 0, "metrics": {"gpus": [card]}}
        status, _, _ = timed(connection, "POST", "/gpu/v1/miners/heartbeat", body)
        waits.append((status, time.perf_counter() - due))  # from when it was due: a late start counts too
        n += 1
    out.put(waits)


def herd(exchange: Stack) -> Iterator[Figure]:
    first = Connection(exchange.url, exchange.miner)
    body = {"miner_id": "herd-0", "capabilities": {"supported_tasks": ["herd"], "gpus": [CARD]}, "concurrency": 1}
    first.call("POST", "/gpu/v1/miners/register", body)
    with cursor(Miner) as sql:
        sql.execute(COPY, [MINERS])
        sql.execute(COPY_CARD)
    context = multiprocessing.get_context("fork")
    out = context.Queue()
    lanes = [context.Process(target=beat, args=(exchange.url, exchange.miner, n, out)) for n in range(CONNECTIONS)]
    for lane in lanes:
        lane.start()
    waits = [item for _ in lanes for item in out.get()]
    for lane in lanes:
        lane.join()
    good = sorted(1000 * seconds for status, seconds in waits if status == 200)
    note = f"{len(good) / SECONDS:.0f} heartbeats/s, {len(waits) - len(good)} refused"
    yield Figure("heartbeat of 10,000 miners, p99", good[int(0.99 * len(good))], "ms", "<= 200", note)


def run() -> Iterator[Figure]:
    with stack() as exchange:
        yield from herd(exchange)
