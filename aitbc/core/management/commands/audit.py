"""`manage.py audit`: do the books, jobs, leases, receipts and messages still obey their invariants?"""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from aitbc.core import invariants
from aitbc.core.cli.commands import ProjectCommand
from aitbc.core.cli.tables import console

EXAMPLES = """\
  manage.py audit
  manage.py audit --only I14 --only I17
  manage.py audit --online              leave out checks that need a quiet system
  manage.py audit --json
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
        found = invariants.run(only, online=online)
        broken = sum(map(len, found.values()))
        if as_json:
            violations: dict[str, list[str]] = {}
            for one, lines in found.items():  # several checks may share a number
                if lines:
                    violations.setdefault(one.name, []).extend(lines)
            self.stdout.write(json.dumps(violations, indent=2))
        else:
            printer = console(self.stdout)
            for one, lines in found.items():
                for line in lines:
                    printer.print(f"[red]{one.name}[/] {one.meaning} [dim]({one.db})[/]\n     {line}", highlight=False)
            printer.print(f"audit: {len(found)} invariants checked, {broken} violations", highlight=False)
        if broken:
            sys.exit(1)


def refuse_unknown(numbers: list[str]) -> None:
    """Raise CommandError (exit 2) for a number that no invariant has: nothing checked is not nothing wrong."""
    if missing := invariants.unknown(numbers):
        known = ", ".join(dict.fromkeys(one.name for one in invariants.load()))
        raise CommandError(f"There is no invariant {', '.join(missing)}; known are {known}.", returncode=2)
