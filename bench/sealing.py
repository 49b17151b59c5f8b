"""The transparency log: sealing 10,000 leaves, and one inclusion proof."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.db import connections

from aitbc.core.db import atomic
from apps.trading.logic import merkle
from apps.trading.models import Block, LogEntry
from apps.trading.services import log
from apps.trading.services.merkle_store import TreeReader
from bench.load_generator import quantile
from bench.report import Measurement

LEAVES = 10_000
PROOFS = 200


def run() -> Iterator[Measurement]:
    log.seal()
    with atomic(LogEntry):
        log.append("bench", [{"n": str(n), "at": str(time.time())} for n in range(LEAVES)])
    started = time.perf_counter()
    blocks = log.seal()
    seconds = time.perf_counter() - started
    sealed = sum(block.count for block in blocks)
    yield Measurement("sealing 10,000 leaves", seconds, "s", "<= 5", f"{sealed} leaves in {len(blocks)} blocks")
    yield proof()


def proof() -> Measurement:
    size = Block.objects.latest("height").tree_size
    times = []
    for index in range(0, size, max(1, size // PROOFS)):
        started = time.perf_counter()
        merkle.inclusion_proof(index, size, TreeReader(*merkle.inclusion_ranges(index, size)))
        times.append(1000 * (time.perf_counter() - started))
    connections["trading"].close()
    note = f"median of {len(times)} in a tree of {size:,} leaves, nothing cached; p95 {quantile(times, 0.95):.1f} ms"
    return Measurement("an inclusion proof", quantile(times, 0.5), "ms", "<= 5", note)
