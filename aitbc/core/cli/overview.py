"""What `aitbc` and `aitbc --help` print: each command with one line."""

from __future__ import annotations

from django.core.management import ManagementUtility, get_commands, load_command_class

OWN = ("aitbc.", "apps.")


class Program(ManagementUtility):
    """Django's management program, which lists the project's own commands with what they do."""

    def main_help_text(self, commands_only: bool = False) -> str:
        """Return the help of the program, or the names of all commands, for completion."""
        if commands_only:
            return super().main_help_text(commands_only=True)
        applications = {name: str(application) for name, application in get_commands().items()}
        own = sorted(name for name, application in applications.items() if application.startswith(OWN))
        others = sorted(set(applications) - set(own))
        return "\n".join((
            "AITBC, an exchange for GPU compute.", "", "commands:",
            *(f"  {name:<14}{about(applications[name], name)}" for name in own), "",
            f"`{self.prog_name} COMMAND --help` shows its verbs, options and examples.",
            f"Django's own commands: {', '.join(others)}.",
        ))  # fmt: skip


def about(application: str, name: str) -> str:
    """The first line of a command's help."""
    return str(load_command_class(application, name).help).strip().split("\n")[0]
