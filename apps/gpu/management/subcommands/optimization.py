"""`gpu optimize`."""

from __future__ import annotations

import uuid
from typing import Any

from aitbc.core.cli.amounts import AIT
from aitbc.core.cli.arguments import number, whole
from aitbc.core.cli.commands import VerbCommand
from aitbc.core.cli.short_ids import add_id
from apps.gpu.logic.llm import KV_BYTES, QUANT_NAMES
from apps.gpu.logic.optimizer import MOST_GPUS, MOST_USERS
from apps.gpu.logic.power import MODES
from apps.gpu.management.subcommands.gpus import OWN_GPUS
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
    add_id(parser, "gpu", of=OWN_GPUS, help="the card's id")
    parser.add_argument("model", help="llama3.1:8b, Qwen2.5-7B …")
    parser.add_argument("--objective", choices=MODES, default="balanced", help="what matters most (balanced)")
    parser.add_argument("--task", choices=("decode", "prefill", "training", "mixed"), help="what the model does")
    for flag, kind, about in (
        ("--ctx", whole(1, 2**20), "tokens of context per user (4096)"),
        ("--batch", whole(1, MOST_USERS), "users at once; else chosen"),
        ("--target-tps", number(0.01, 100_000), "tokens per second each user must get"),
        ("--gpus", whole(1, MOST_GPUS), "cards at once (1)"),
    ):  # fmt: skip
        parser.add_argument(flag, type=kind, help=about)
    parser.add_argument("--quantisation", choices=QUANT_NAMES, help="else the best that fits is chosen")
    parser.add_argument("--kv-dtype", choices=list(KV_BYTES), help="numbers of the cache; else chosen")
    parser.add_argument("--parallelism", choices=("tp", "pp"), help="how several cards share the model")
    parser.add_argument("--power-price", type=AIT, help="AIT per kWh, for the objective `price`")
    parser.add_argument("--apply", action="store_true", help="have the power limit set (owner; with the miner's key)")
