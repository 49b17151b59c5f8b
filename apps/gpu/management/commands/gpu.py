"""`manage.py gpu …`: cards from the shell, over HTTP only."""

from __future__ import annotations

from typing import Any, ClassVar

from aitbc.core.shell import VerbCommand
from apps.gpu.management.gpu_verbs import cards

EXAMPLES = """\
  manage.py gpu list
  manage.py gpu list --model 4090 --state available
  manage.py gpu show 0190f3c2-…
  manage.py gpu scan rig-1 --wait 30
  manage.py gpu models --architecture ada_lovelace --min-memory-gb 16
"""


class Command(VerbCommand):
    help = "Cards: which there are, what they are, how they fare."
    examples = EXAMPLES
    groups: ClassVar[tuple[Any, ...]] = (cards,)
