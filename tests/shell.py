"""Commands of `manage.py` as their users run them: against a live server, with an API key."""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from django.core.management import call_command, get_commands, load_command_class

from tests.clients import Api

ROOT = Path(__file__).resolve().parents[1]


class ShellCommand(Protocol):
    """A command that takes its arguments; `key` replaces the caller's API key."""

    def __call__(self, *arguments: Any, key: str = ...) -> str: ...


def command_runner(command: str, live_server: Any, api: Api) -> ShellCommand:
    """This command with this caller's key, through a real socket; it returns its output."""

    def run(*arguments: Any, key: str = api.secret) -> str:
        out = io.StringIO()
        call_command(command, *arguments, "--url", live_server.url, "--key", key, stdout=out)
        return out.getvalue()

    return run


def program(*arguments: Any, **environment: str) -> subprocess.Popen[str]:
    """`manage.py` with these arguments as a process of its own, without the caller's keys."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_KEY")}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), *map(str, arguments)], env={**kept, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def ended(*arguments: Any, **environment: str) -> tuple[int, str, str]:
    """Its exit code, output and errors, once it has ended."""
    process = program(*arguments, **environment)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self) -> bool:
        return True


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command of this project and every verb of it, by its words, with its parser."""
    for name, application in get_commands().items():
        if application.startswith(("aitbc", "apps")):
            parser = load_command_class(application, name).create_parser("manage.py", name)
            yield from _with_verbs(name, parser)


def _with_verbs(words: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, verb in action.choices.items():
                yield from _with_verbs(f"{words} {name}", verb)
