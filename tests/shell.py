"""Commands of `manage.py` as their users run them: against a live server, with an API key."""

from __future__ import annotations

import io
from typing import Any, Protocol

from django.core.management import call_command

from tests.clients import Api


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
