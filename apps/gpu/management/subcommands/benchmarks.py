"""`gpu benchmark` and `gpu benchmarks`."""

from __future__ import annotations

import time
import uuid
from typing import Any

from django.core.management.base import CommandError

from aitbc.core.cli.commands import VerbCommand
from apps.gpu.management.tables import benchmarks as tables

OPEN = ("requested", "committed")
POLL_SECONDS = 2.0


def add(command: VerbCommand, verbs: Any) -> None:
    """The verbs of this module."""
    requested = command.verb(
        verbs, "benchmark", "challenge a card to show what it is", run=benchmark, scope="miner",
        examples="  manage.py gpu benchmark CARD --wait",
    )  # fmt: skip
    requested.add_argument("gpu", help="the card's id")
    requested.add_argument("--reason", default="asked for in the shell")
    requested.add_argument("--wait", action="store_true", help="wait for the verdict")
    requested.add_argument("--timeout", type=float, default=900.0, help="seconds to wait at most (900)")
    history = command.verb(verbs, "benchmarks", "a card's benchmarks, newest first", run=benchmarks, scope="miner")
    history.add_argument("gpu", help="the card's id")
    history.add_argument("--limit", type=int, default=20)


def benchmark(command: VerbCommand, *, gpu: str, reason: str, wait: bool, timeout: float, **options: Any) -> None:
    path, headers = f"/gpu/v1/gpu/{gpu}/benchmarks", {"Idempotency-Key": str(uuid.uuid4())}
    made = command.call("POST", path, json={"reason": reason}, headers=headers)
    if wait:
        made = _ended(command, made["id"], timeout)
    command.show(made, tables.benchmark(made))
    if wait and made["state"] != "passed":
        raise CommandError(f"The benchmark {made['state']}.")


def benchmarks(command: VerbCommand, *, gpu: str, limit: int, **options: Any) -> None:
    page = command.call("GET", f"/gpu/v1/gpu/{gpu}/benchmarks", params={"limit": limit})
    command.show(page, tables.benchmarks(page))


def _ended(command: VerbCommand, benchmark_id: str, timeout: float) -> dict[str, Any]:
    until = time.monotonic() + timeout
    while True:
        record: dict[str, Any] = command.call("GET", f"/gpu/v1/benchmarks/{benchmark_id}")
        if record["state"] not in OPEN:
            return record
        if time.monotonic() > until:
            raise CommandError(
                f"The benchmark is still {record['state']}: its miner beats every few seconds; ask later."
            )
        time.sleep(POLL_SECONDS)
