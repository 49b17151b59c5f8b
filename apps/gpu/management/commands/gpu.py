"""`manage.py gpu …`: cards from the shell, over HTTP only."""

from __future__ import annotations

from typing import Any, ClassVar

from aitbc.core.cli.commands import VerbCommand
from apps.gpu.management.subcommands import benchmarks, earnings, gpus, optimization, transactions

EXAMPLES = """\
  manage.py gpu list --model 4090 --state available
  manage.py gpu show 0190f3c2
  manage.py gpu scan rig-1 --wait 30
  manage.py gpu models --architecture ada_lovelace --min-memory-gb 16
  manage.py gpu benchmark 0190f3c2 --wait
  manage.py gpu optimize 0190f3c2 llama3.1:8b --objective efficiency
  manage.py gpu earnings 0190f3c2 --power-price 0.30 --utilisation 0.6
  manage.py gpu offer 2 0.60 24 --specs '{"model": "RTX 4090", "memory_gb": 24}'
"""


class Command(VerbCommand):
    help = "Cards: list and benchmark them, get recommendations for a model, offer and bid for them."
    examples = EXAMPLES
    groups: ClassVar[tuple[Any, ...]] = (gpus, optimization, benchmarks, earnings, transactions)
