"""`gpu earnings`."""

from __future__ import annotations

from typing import Any

from aitbc.core.cli.amounts import AIT
from aitbc.core.cli.arguments import number
from aitbc.core.cli.commands import VerbCommand
from aitbc.core.cli.short_ids import add_id
from apps.gpu.management.subcommands.gpus import OWN_GPUS
from apps.gpu.management.tables import earnings as tables


def add(command: VerbCommand, verbs: Any) -> None:
    """The verb of this module."""
    about = "what a card earns, and a recommended price"
    example = "  manage.py gpu earnings CARD --power-price 0.30 --utilisation 0.6"
    _add_arguments(command.verb(verbs, "earnings", about, run=earnings, scope="miner", examples=example))


def earnings(command: VerbCommand, *, gpu: str, **options: Any) -> None:
    names = ("power_price", "utilisation", "price", "idle_w", "load_w")
    params = {name: options[name] for name in names if options.get(name) is not None}
    advice = command.call("GET", f"/gpu/v1/gpu/{gpu}/earnings-advice", params=params)
    command.show(advice, tables.earnings(advice))


def _add_arguments(parser: Any) -> None:
    add_id(parser, "gpu", of=OWN_GPUS, help="the card's id")
    parser.add_argument("--power-price", type=AIT, help="AIT per kWh (0.30)")
    parser.add_argument("--utilisation", type=number(0, 1), help="share of the time it is rented, 0 to 1 (0.5)")
    parser.add_argument("--price", type=AIT, help="AIT per hour; else what the card asks now")
    parser.add_argument("--idle-w", type=number(0, 5000), help="watts when idle; else 8 %% of full load")
    parser.add_argument("--load-w", type=number(0, 5000), help="watts at work; else its power limit")
