"""`manage.py gpu …`: cards from the shell, over HTTP only."""

from __future__ import annotations

from typing import Any, ClassVar

from aitbc.core.shell import VerbCommand
from apps.gpu.management.gpu_verbs import transactions, tuning

EXAMPLES = """\
  manage.py gpu optimize 0190f3c2-… llama3.1:8b --objective efficiency
  manage.py gpu benchmark 0190f3c2-… --wait
  manage.py gpu offer 2 0.60 24 --specs '{"model": "RTX 4090", "memory_gb": 24}'
  manage.py gpu earnings 0190f3c2-… --power-price 0.30 --utilisation 0.6
"""


class Command(VerbCommand):
    help = "Cards: measure them, ask how to run a model on them, what they earn."
    examples = EXAMPLES
    groups: ClassVar[tuple[Any, ...]] = (tuning, transactions)
