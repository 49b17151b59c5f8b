"""`gpu optimize`."""

from __future__ import annotations

import uuid
from typing import Any

from aitbc.core.cli.commands import VerbCommand
from apps.gpu.logic.llm import KV_BYTES, QUANT_NAMES
from apps.gpu.logic.power import MODES
from apps.gpu.management.tables import optimization as tables

FLAGS = ("ctx", "batch", "target_tps", "quantisation", "kv_dtype", "task", "gpus", "parallelism", "power_price")
EXAMPLES = """\
  manage.py gpu optimize CARD llama3.1:8b
  manage.py gpu optimize CARD qwen2.5-7b --objective max_throughput --target-tps 20 --ctx 8192
  manage.py gpu optimize CARD qwen2.5-7b --objective efficiency --apply --key $AITBC_MINER_KEY"""


def add(command: VerbCommand, verbs: Any) -> None:
    """The verb of this module."""
    _add_arguments(command.verb(verbs, "optimize", "how to run a model on a card", run=optimize, examples=EXAMPLES))


def optimize(command: VerbCommand, *, gpu: str, model: str, objective: str, apply: bool, **options: Any) -> None:
    workload = {"model": model} | {name: options[name] for name in FLAGS if options.get(name) is not None}
    body = {"workload": workload, "objective": objective, "apply": apply}
    headers = {"Idempotency-Key": str(uuid.uuid4())} if apply else {}
    path = f"/gpu/v1/marketplace/edge-gpu/{gpu}/optimize"
    advice = command.call("POST", path, json=body, headers=headers)
    command.show(advice, tables.advice(advice))


def _add_arguments(parser: Any) -> None:
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
