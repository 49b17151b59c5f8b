"""`gpu optimize`, `gpu benchmark`, `gpu benchmarks`, `gpu earnings`."""

from __future__ import annotations

import time
import uuid
from typing import Any

from django.core.management.base import CommandError

from aitbc.core.cli.commands import VerbCommand
from apps.gpu.logic.llm import KV_BYTES, QUANT_NAMES
from apps.gpu.logic.power import MODES
from apps.gpu.management.tables import benchmarks as tables

OPEN = ("requested", "committed")
POLL_SECONDS = 2.0
FLAGS = ("ctx", "batch", "target_tps", "quantisation", "kv_dtype", "task", "gpus", "parallelism", "power_price")

EXAMPLES = """\
  manage.py gpu optimize CARD llama3.1:8b
  manage.py gpu optimize CARD qwen2.5-7b --objective max_throughput --target-tps 20 --ctx 8192
  manage.py gpu optimize CARD qwen2.5-7b --objective efficiency --apply --key $AITBC_MINER_KEY"""


def add(command: VerbCommand, verbs: Any) -> None:
    """The verbs of this module."""
    _optimize(command.verb(verbs, "optimize", "how to run a model on a card", run=optimize, examples=EXAMPLES))
    asked = command.verb(
        verbs, "benchmark", "challenge a card to show what it is", run=benchmark, scope="miner",
        examples="  manage.py gpu benchmark CARD --wait",
    )  # fmt: skip
    asked.add_argument("gpu", help="the card's id")
    asked.add_argument("--reason", default="asked for in the shell")
    asked.add_argument("--wait", action="store_true", help="wait for the verdict")
    asked.add_argument("--timeout", type=float, default=900.0, help="seconds to wait at most (900)")
    history = command.verb(verbs, "benchmarks", "a card's benchmarks, newest first", run=benchmarks, scope="miner")
    history.add_argument("gpu", help="the card's id")
    history.add_argument("--limit", type=int, default=20)
    about = "what a card earns, and what to ask for it"
    example = "  manage.py gpu earnings CARD --power-price 0.30 --utilisation 0.6"
    _earnings(command.verb(verbs, "earnings", about, run=earnings, scope="miner", examples=example))


def optimize(command: VerbCommand, *, gpu: str, model: str, objective: str, apply: bool, **options: Any) -> None:
    workload = {"model": model} | {name: options[name] for name in FLAGS if options.get(name) is not None}
    body = {"workload": workload, "objective": objective, "apply": apply}
    headers = {"Idempotency-Key": str(uuid.uuid4())} if apply else {}
    path = f"/gpu/v1/marketplace/edge-gpu/{gpu}/optimize"
    advice = command.call("POST", path, json=body, headers=headers)
    command.show(advice, tables.advice(advice))


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


def earnings(command: VerbCommand, *, gpu: str, **options: Any) -> None:
    names = ("power_price", "utilisation", "price", "idle_w", "load_w")
    asked = {name: options[name] for name in names if options.get(name) is not None}
    told = command.call("GET", f"/gpu/v1/gpu/{gpu}/earnings-advice", params=asked)
    command.show(told, tables.earnings(told))


def _ended(command: VerbCommand, benchmark_id: str, timeout: float) -> dict[str, Any]:
    until = time.monotonic() + timeout
    while True:
        told: dict[str, Any] = command.call("GET", f"/gpu/v1/benchmarks/{benchmark_id}")
        if told["state"] not in OPEN:
            return told
        if time.monotonic() > until:
            raise CommandError(f"The benchmark is still {told['state']}: its miner beats every few seconds; ask later.")
        time.sleep(POLL_SECONDS)


def _optimize(parser: Any) -> None:
    parser.add_argument("gpu", help="the card's id")
    parser.add_argument("model", help="llama3.1:8b, Qwen2.5-7B …")
    parser.add_argument("--objective", choices=MODES, default="balanced")
    parser.add_argument("--task", choices=("decode", "prefill", "training", "mixed"))
    for flag, kind, about in (
        ("--ctx", int, "tokens of context per user (4096)"), ("--batch", int, "users at once; else chosen"),
        ("--target-tps", float, "tokens per second each user must get"), ("--gpus", int, "cards at once (1)"),
    ):  # fmt: skip
        parser.add_argument(flag, type=kind, help=about)
    parser.add_argument("--quantisation", choices=QUANT_NAMES, help="else the best that fits is chosen")
    parser.add_argument("--kv-dtype", choices=list(KV_BYTES))
    parser.add_argument("--parallelism", choices=("tp", "pp"))
    parser.add_argument("--power-price", help="AIT per kWh, for the objective `price`")
    parser.add_argument("--apply", action="store_true", help="have the power limit set (owner; with the miner's key)")


def _earnings(parser: Any) -> None:
    parser.add_argument("gpu", help="the card's id")
    parser.add_argument("--power-price", help="AIT per kWh (0.30)")
    parser.add_argument("--utilisation", help="share of the time it is rented, 0 to 1 (0.5)")
    parser.add_argument("--price", help="AIT per hour; else what the card asks now")
    parser.add_argument("--idle-w", help="watts when idle; else 8 %% of full load")
    parser.add_argument("--load-w", help="watts at work; else its power limit")
