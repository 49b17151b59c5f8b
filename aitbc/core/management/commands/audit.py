"""`manage.py audit`: do the books, jobs, leases, receipts and messages still obey their invariants?"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.text import Text

from aitbc.core import invariants
from aitbc.core.cli.commands import ProjectCommand
from aitbc.core.cli.tables import console
from aitbc.core.invariants import Invariant

EXAMPLES = """\
  manage.py audit
  manage.py audit --only I14 --only I17
  manage.py audit --online              leave out checks that need a quiet system
  manage.py audit --json
  manage.py audit --verbosity 2         with the traceback of every check that could not be made
"""


class Command(ProjectCommand):
    help = "Check every invariant: one summary line and exit 0 when all hold, else each violation and exit 1."
    examples = EXAMPLES

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--only", action="append", default=[], metavar="I14", help="check just this invariant")
        parser.add_argument("--online", action="store_true", help="skip comparisons that hold only at rest")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *args: Any, only: list[str], online: bool, as_json: bool, **options: Any) -> None:
        refuse_unknown(only)
        if options["verbosity"] > 1 or options["traceback"]:
            invariants.log.setLevel(logging.DEBUG)
        found = invariants.run(only, online=online)
        if as_json:
            self.stdout.write(as_json_text(found))
        else:
            self.print(found)
        if any(found.values()):
            sys.exit(1)

    def print(self, found: Mapping[Invariant, list[str]]) -> None:
        """Print each violation, and a summary."""
        printer = console(self.stdout)
        for one, lines in found.items():
            for line in lines:
                head = ((one.name, "red"), f" {one.meaning} ", (f"({one.db})", "dim"))
                printer.print(Text.assemble(*head, f"\n     {line}"))
        broken = sum(map(len, found.values()))
        printer.print(f"audit: {len(found)} invariants checked, {broken} violations", highlight=False)


def as_json_text(found: Mapping[Invariant, list[str]]) -> str:
    """Write the violations by number; several checks may share one."""
    violations: dict[str, list[str]] = {}
    for one, lines in found.items():
        if lines:
            violations.setdefault(one.name, []).extend(lines)
    return json.dumps(violations, indent=2)


def refuse_unknown(numbers: list[str]) -> None:
    """Raise CommandError (exit 2) for a number that no invariant has: nothing checked is not nothing wrong."""
    if missing := invariants.unknown(numbers):
        known = ", ".join(dict.fromkeys(one.name for one in invariants.load()))
        raise CommandError(f"There is no invariant {', '.join(missing)}; known are {known}.", returncode=2)
