"""Commands that speak HTTP only: a console, a client with the right key, and problems said in plain words."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from aitbc.core.cli.tables import console

KEY_NAMES = ("AITBC_API_KEY", "API_KEY")
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0


class ApiProblem(CommandError):
    """The exchange answered with a problem."""

    def __init__(self, status: int, body: dict[str, Any], retry_after: float) -> None:
        super().__init__(in_words(status, body))
        self.status = status
        self.body = body
        self.retry_after = retry_after


class ProjectCommand(BaseCommand):
    """A command whose --help ends with examples, printed as they are written."""

    examples: ClassVar[str] = ""

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        if self.examples:
            options.setdefault("epilog", "examples:\n" + self.examples)
        return super().create_parser(prog_name, subcommand, **options)

    def verb(self, verbs: Any, name: str, about: str) -> argparse.ArgumentParser:
        """One verb of the command: its own --help shows the examples that are about it."""
        own = [line for line in self.examples.splitlines() if re.search(rf" {re.escape(name)}( |$)", line)]
        verb: argparse.ArgumentParser = verbs.add_parser(
            name, help=about, description=about, formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog="\n".join(["examples:", *own]) if own else None,
        )  # fmt: skip
        return verb


class BaseApiCommand(ProjectCommand):
    """A command of one scope; --url, --key and --json come with it. It opens no database."""

    scope: ClassVar[str] = "client"
    requires_system_checks: list[str] = []
    console: Console
    as_json: bool = False
    quiet: bool = False
    _client: httpx.Client | None = None

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_connection(parser)

    def add_connection(self, parser: argparse.ArgumentParser) -> None:
        """The flags that every (sub)command takes."""
        group = parser.add_argument_group("connection")
        group.add_argument("--url", help="address of the exchange (else AITBC_URL, else var/dev.env)")
        group.add_argument("--key", help=f"API key (else AITBC_{self.scope.upper()}_KEY, else var/dev.env)")
        group.add_argument("--json", action="store_true", dest="as_json", help="print JSON, nothing else")
        group.add_argument("-q", "--quiet", action="store_true", help="print ids only, for scripts")

    def execute(self, *args: Any, **options: Any) -> Any:
        self.as_json, self.quiet = bool(options.get("as_json")), bool(options.get("quiet"))
        self.console = console(options.get("stdout"))
        self._url, self._key = options.get("url"), options.get("key")
        try:
            return super().execute(*args, **options)
        finally:
            if self._client is not None:
                self._client.close()
                self._client = None

    def api(self, scope: str | None = None) -> httpx.Client:
        """The exchange as seen with the key of this scope."""
        if self._client is None:
            scope = scope or self.scope
            key = self._key or known(f"AITBC_{scope.upper()}_KEY", *KEY_NAMES)
            if not key:
                raise CommandError(f"No key: give --key, set AITBC_{scope.upper()}_KEY, or start with `make up`.")
            self._client = httpx.Client(
                base_url=self._url or known("AITBC_URL") or settings.PUBLIC_URL,
                headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
                timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            )
        return self._client

    def call(self, method: str, path: str, **request: Any) -> Any:
        """The decoded answer; a problem becomes an ApiProblem with its words, silence a CommandError."""
        try:
            answer = self.api().request(method, path, **request)
        except httpx.HTTPError as error:
            raise CommandError(f"No answer from {self.api().base_url}: {error or type(error).__name__}") from None
        if answer.is_error:
            raise problem_of(answer)
        return answer.json() if answer.content else None

    def events(self, path: str, *, cursor: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
        """One connection's events of a stream: (id, name, data); the caller reconnects with the last id."""
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": cursor} if cursor else {})}
        try:
            with self.api().stream("GET", path, headers=headers) as answer:
                if answer.is_error:
                    answer.read()
                    raise problem_of(answer)
                yield from _parsed(answer.iter_lines())
        except httpx.TransportError:
            return

    def show(self, answer: Any, table: Any = None) -> None:
        """Print the answer: its ids, or as JSON, when one of these is called for, else as the table given."""
        if self.quiet:
            self.stdout.write("\n".join(ids_of(answer)))
        elif self.as_json or table is None:
            self.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False))
        else:
            self.console.print(table)


class VerbCommand(BaseApiCommand):
    """A command made of verbs; each group of verbs is a module with `add(command, verbs)`.

    A verb is a function of this command and its options: `command.verb(verbs, "list", "show them", run=list_them)`.
    """

    groups: ClassVar[tuple[Any, ...]] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb", parser_class=argparse.ArgumentParser)
        for group in self.groups:
            group.add(self, verbs)

    def verb(  # type: ignore[override]
        self, verbs: Any, name: str, about: str, *, run: Callable[..., None], scope: str = "client", examples: str = ""
    ) -> argparse.ArgumentParser:
        """Add a verb; `scope` says whose key it is called with, "" that it asks nobody."""
        parser: argparse.ArgumentParser = verbs.add_parser(
            name, help=about, description=about, epilog=f"examples:\n{examples}" if examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        parser.set_defaults(run=run, verb_scope=scope)
        if scope:
            self.add_connection(parser)
        return parser

    def handle(self, *args: Any, run: Callable[..., None], verb_scope: str, **options: Any) -> None:
        if verb_scope:
            self.api(verb_scope)
        run(self, **options)


def ids_of(answer: Any) -> list[str]:
    """The id of the answer, or those of its items, one a line."""
    found = answer.get("items", [answer]) if isinstance(answer, dict) else answer
    return [str(one["id"] if "id" in one else one.get("receipt_id", "")) for one in found]


def in_words(status: int, body: dict[str, Any]) -> str:
    """A problem body in one or a few lines: what, why, which field."""
    lines = [str(body.get("detail") or body.get("title") or f"HTTP {status}")]
    title = body.get("title")
    if title and title != lines[0]:
        lines[0] = f"{title} {lines[0]}"
    lines += [f"  {one.get('field')}: {one.get('message')}" for one in body.get("errors") or []]
    if body.get("allowed"):
        lines.append(f"  allowed from here: {', '.join(body['allowed'])}")
    lines.append(f"  (HTTP {status}, {body.get('code', 'unknown')}, request {body.get('request_id', '-')})")
    return "\n".join(lines)


def problem_of(answer: httpx.Response) -> ApiProblem:
    try:
        body = answer.json()
    except ValueError:
        body = {"detail": answer.text[:300]}
    after = answer.headers.get("Retry-After", "1")
    wait = float(after) if after.replace(".", "", 1).isdigit() else 1.0
    return ApiProblem(answer.status_code, body if isinstance(body, dict) else {"detail": str(body)}, wait)


def known(*names: str) -> str:
    """The first of these names that the environment or var/dev.env has a value for."""
    written = _dev_env(Path(settings.VAR_DIR) / "dev.env")
    return next((value for name in names if (value := os.environ.get(name) or written.get(name))), "")


def _dev_env(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = [line.strip().removeprefix("export ") for line in path.read_text().splitlines()]
    pairs = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
    return {name.strip(): value.strip().strip("'\"") for name, value in pairs}


def _parsed(lines: Iterator[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    fields: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif not line and "data" in fields:
            yield fields.get("id", ""), fields.get("event", "message"), json.loads(fields["data"])
            fields = {}
