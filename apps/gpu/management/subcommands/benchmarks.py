"""`gpu benchmark` and `gpu benchmarks`."""

from __future__ import annotations

import time
import uuid
from typing import Any

from django.core.management.base import CommandError

from aitbc.core.cli.arguments import LIMIT, TIMEOUT, nonempty
from aitbc.core.cli.commands import VerbCommand
from aitbc.core.cli.short_ids import add_id
from apps.gpu.management.subcommands.gpus import OWN_GPUS
from apps.gpu.management.tables import benchmarks as tables

OPEN = ("requested", "committed")
POLL_SECONDS = 2.0


def add(command: VerbCommand, verbs: Any) -> None:
    """The verbs of this module."""
    requested = command.verb(
        verbs, "benchmark", "challenge a card to show what it is", run=benchmark, scope="miner",
        examples="  manage.py gpu benchmark CARD --wait",
    )  # fmt: skip
    add_id(requested, "gpu", of=OWN_GPUS, help="the card's id")
    requested.add_argument("--reason", type=nonempty, default="asked for in the shell", help="kept with the benchmark")
    requested.add_argument("--wait", action="store_true", help="wait for the verdict")
    requested.add_argument("--timeout", type=TIMEOUT, default=900, help="seconds to wait at most (900)")
    history = command.verb(
        verbs, "benchmarks", "a card's benchmarks, newest first", run=benchmarks, scope="miner",
        examples="  manage.py gpu benchmarks CARD --limit 5",
    )  # fmt: skip
    add_id(history, "gpu", of=OWN_GPUS, help="the card's id")
    history.add_argument("--limit", type=LIMIT, default=20, help="benchmarks of a page (20)")
    history.add_argument("--cursor", help="of the page before")


def benchmark(command: VerbCommand, *, gpu: str, reason: str, wait: bool, timeout: float, **options: Any) -> None:
    path, headers = f"/gpu/v1/gpu/{gpu}/benchmarks", {"Idempotency-Key": str(uuid.uuid4())}
    made = command.call("POST", path, json={"reason": reason}, headers=headers)
    if wait:
        made = _ended(command, made["id"], timeout)
    command.show(made, tables.benchmark(made))
    if wait and made["state"] != "passed":
        raise CommandError(f"The benchmark {made['state']}.")


def benchmarks(command: VerbCommand, *, gpu: str, limit: int, cursor: str | None, **options: Any) -> None:
    place = {"limit": limit, **({"cursor": cursor} if cursor else {})}
    page = command.call("GET", f"/gpu/v1/gpu/{gpu}/benchmarks", params=place)
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
