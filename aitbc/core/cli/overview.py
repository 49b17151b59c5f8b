"""What `aitbc` and `aitbc --help` print: each command with one line."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from typing import Any

from django.core.management import ManagementUtility, get_commands, load_command_class

from aitbc.core.cli import program
from aitbc.core.cli.errors import UsageError, as_json
from aitbc.core.cli.text import printable

OWN = ("aitbc.", "apps.")


class Program(ManagementUtility):
    """Django's management program, which lists the project's own commands with what they do."""

    def fetch_command(self, subcommand: str) -> Any:
        """Return the command of this name; exit 2, as for any wrong argument, when there is none."""
        known = get_commands()
        if subcommand in known:
            return super().fetch_command(subcommand)
        near = get_close_matches(subcommand, own_commands(), n=1) or get_close_matches(subcommand, known, n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        error = UsageError(f"There is no command {subcommand}.{meant} `{program.line('--help')}` lists them.")
        sys.stderr.write(f"{as_json(error) if '--json' in self.argv else printable(str(error))}\n")
        return sys.exit(error.returncode)

    def main_help_text(self, commands_only: bool = False) -> str:
        """Return the help of the program, or the names of all commands, for completion."""
        if commands_only:
            return super().main_help_text(commands_only=True)
        applications = {name: str(application) for name, application in get_commands().items()}
        own = own_commands()
        others = sorted(set(applications) - set(own))
        return "\n".join((
            "AITBC, an exchange for GPU compute.", "", "commands:",
            *(f"  {name:<14}{about(applications[name], name)}" for name in own), "",
            f"`{program.line('COMMAND --help')}` shows its verbs, options and examples.",
            f"Django's own commands: {', '.join(others)}.",
        ))  # fmt: skip


def own_commands() -> list[str]:
    """The project's own commands, by name."""
    return sorted(name for name, application in get_commands().items() if str(application).startswith(OWN))


def about(application: str, name: str) -> str:
    """The first line of a command's help."""
    return str(load_command_class(application, name).help).strip().split("\n")[0]
