"""Optimization advice for a GPU, over HTTP and the search alone, and the check of a benchmark's response."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from apps.gpu.logic import challenge, challenge_check, llm, optimizer, power, roofline
from apps.gpu.logic.optimizer_report import advise
from apps.gpu.miner.devices import Cpu
from apps.gpu.miner.prover import Prover
from apps.gpu.models import GPURegistry
from bench.load_generator import Connection, Measured, Sample, load, send
from bench.report import Measurement
from bench.stack import migrated, stack

CALLS = 300


def percentile(seconds: list[float], share: float) -> float:
    return 1000 * sorted(seconds)[round(share * (len(seconds) - 1))]


def repeated(call: Callable[[int], Any], calls: int) -> list[float]:
    """Processor time of each call: what it costs, however busy the machine is."""
    found = []
    for n in range(calls):
        begun = time.process_time()
        call(n)
        found.append(time.process_time() - begun)
    return found


def search() -> list[float]:
    """Every model of the table on one GPU, with every objective."""
    device = roofline.Device(24e9, 22e9, 936e9, 142e12)
    gpu = optimizer.Subject("RTX 3090", "NVIDIA", "gpu", device, power.PowerLimits(350, 100, 350))
    requests = [
        optimizer.OptimizeRequest(model, objective=objective, task="mixed", power_price=0.3)
        for model in llm.models().values()
        for objective in power.MODES
    ]
    return repeated(lambda n: advise(gpu, requests[n % len(requests)]), CALLS)


def over_http() -> dict[int, Measured]:
    """Requests by one caller, and by four at once, on a GPU that was registered over HTTP."""
    gpus = [{"name": "NVIDIA GeForce RTX 3090", "memory_mb": 24576, "uuid": "GPU-bench"}]
    body = {"miner_id": "bench-card", "capabilities": {"gpus": gpus}}
    names = list(llm.models())

    def register(connection: Connection, worker: int, n: int) -> Sample:
        return send(connection, "POST", "/gpu/v1/miners/register", body)

    with stack() as exchange:
        load(exchange.url, exchange.miner, register, connections=1, calls=1)
        rows = GPURegistry.objects.filter(uuid="GPU-bench")
        rows.update(measured={"bandwidth_gbps": 860.0, "fp32_tflops": 29.0, "fp16_tflops": 110.0})
        path = f"/gpu/v1/marketplace/edge-gpu/{rows.get().pk}/optimize"

        def advise_on(connection: Connection, worker: int, n: int) -> Sample:
            return send(connection, "POST", path, {"workload": {"model": names[n % len(names)]}})

        load(exchange.url, exchange.client, advise_on, connections=2, calls=20)  # each worker has read its tables
        return {n: load(exchange.url, exchange.client, advise_on, connections=n, calls=CALLS) for n in (1, 4)}


def checking(task: challenge.Task) -> float:
    """Milliseconds of the exchange's check of an answer, with its JSON read."""
    prover = Prover(task, Cpu())
    commitment = prover.commit()
    question = challenge_check.draw(task)
    sent = json.dumps(prover.answer(question))
    runs = repeated(lambda n: challenge_check.check(task, commitment, question, json.loads(sent)), 5)
    return 1000 * statistics.median(runs)


def run() -> Iterator[Measurement]:
    migrated()
    alone, http = search(), over_http()
    yield Measurement(
        "advice alone, p95", percentile(alone, 0.95), "ms", "<= 20", "27 models × 5 objectives; processor time"
    )
    for callers, measured in http.items():
        note = f"{callers} at once; answers {measured.statuses}"
        yield Measurement(f"POST …/optimize, p50, {callers} caller(s)", measured.percentile(0.5), "ms", "", note)
        yield Measurement(f"POST …/optimize, p95, {callers} caller(s)", measured.percentile(0.95), "ms", "<= 50", note)
    yield Measurement(
        "benchmark answer checked, cpu",
        checking(challenge.cpu_task("bench", memory_mb=512)),
        "ms",
        "<= 500",
        "processor time",
    )
    big = challenge.Task("bench", "gpu", words=4096, rounds=1, blocks=3, pages=1024, table=256)
    yield Measurement(
        "benchmark answer checked, gpu", checking(big), "ms", "<= 800", "4096² rows and pages; processor time"
    )
