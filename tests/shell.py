"""Commands of `manage.py` as their users run them: against a server, with a key, reading what is printed."""

from __future__ import annotations

import io
from typing import Any, Protocol

from django.core.management import call_command

from tests.clients import Api


class Spoken(Protocol):
    """A command waiting for its words; with another key, another caller's."""

    def __call__(self, *words: Any, key: str = ...) -> str: ...


def spoken(command: str, live_server: Any, api: Api) -> Spoken:
    """This command with this caller's key, through a real socket; it returns what was printed."""

    def run(*words: Any, key: str = api.secret) -> str:
        out = io.StringIO()
        call_command(command, *words, "--url", live_server.url, "--key", key, stdout=out)
        return out.getvalue()

    return run
